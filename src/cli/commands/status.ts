import type { Handler } from '../command.ts';
import { planning } from '../apply-pipeline.ts';
import { everythingOf } from '../cluster-status.ts';
import { driftOf } from '../drift.ts';
import { exitCodes } from '../exit-code.ts';
import { globalOptions } from '../options.ts';
import { formatted } from '../output.ts';
import { withSession } from '../session.ts';
import { table } from '../style.ts';

export const status: Handler = async ({ options: given }, io) => {
  const options = globalOptions(given);
  return withSession('status', { options, io }, async (session) => {
    const compares = given['drift'] === true;
    const gathered = await (compares ? planning(session, options) : session).gather();
    const wanted = compares ? driftOf(gathered) : undefined;
    const data = { ...everythingOf(gathered), ...wanted };
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
            ...(wanted ? ['', driftText(wanted)] : []),
          ].join('\n'),
      }),
    );
    return wanted && wanted.drift.length > 0 ? exitCodes.pending : exitCodes.ok;
  });
};

function driftText({ drift, pending }: ReturnType<typeof driftOf>): string {
  return [
    drift.length === 0
      ? 'No drift: the hosts are as they were left.'
      : table([['HOST', 'TO REPAIR', 'BECAUSE'], ...drift.map(({ host, found, repair }) => [host, repair, found])]),
    ...(drift.length > 0 ? ['', 'slipway repair does this, and nothing else.'] : []),
    ...(pending > 0 ? [`${pending} steps that the cluster file wants are not done yet: see slipway plan.`] : []),
  ].join('\n');
}
