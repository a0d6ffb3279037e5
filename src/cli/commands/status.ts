import type { Handler } from '../command.ts';
import { everythingOf } from '../cluster-status.ts';
import { exitCodes } from '../exit-code.ts';
import { globalOptions } from '../options.ts';
import { formatted } from '../output.ts';
import { withSession } from '../session.ts';
import { table } from '../style.ts';

export const status: Handler = async ({ options: given }, io) => {
  const options = globalOptions(given);
  return withSession('status', { options, io }, async (session) => {
    const data = everythingOf(await session.gather());
    await session.settleDisplay();
    io.stdout.write(
      formatted(options.output, {
        data,
        text: () =>
          [
            `Cluster ${data.cluster}, Kubernetes ${data.kubernetes}`,
            '',
            table([
              ['HOST', 'ROLES', 'NODE', 'VERSION', 'UNITS', 'CERTIFICATES'],
              ...data.hosts.map((host) => [
                host.name,
                host.roles.join(','),
                host.node,
                host.version ?? '-',
                host.summary,
                host.certificates,
              ]),
            ]),
            ...data.hosts.flatMap((host) =>
              host.units.filter(({ active }) => active !== 'active').map(({ name, active }) => `${host.name}: ${name} is ${active}`),
            ),
          ].join('\n'),
      }),
    );
    return exitCodes.ok;
  });
};
