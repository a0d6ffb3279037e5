import type { Handler } from '../command.ts';
import { planning } from '../apply-pipeline.ts';
import { everythingOf, type HostStatus } from '../cluster-status.ts';
import { driftOf, type Comparison } from '../drift.ts';
import { exitCodes } from '../exit-code.ts';
import { globalOptions } from '../options.ts';
import { formatted } from '../output.ts';
import { strayWarnings } from '../../verbs/guards/strays.ts';
import { debtText, readDebts } from '../owed.ts';
import { errorText } from '../report-error.ts';
import { withSession } from '../session.ts';
import { painter, table } from '../style.ts';

export const status: Handler = async ({ options: given }, io) => {
  const options = globalOptions(given);
  return withSession('status', { options, io, tolerant: true }, async (session) => {
    const compares = given['drift'] === true;
    const gathered = await (compares ? planning(session, options) : session).gather();
    const wanted = compares ? driftOf(gathered) : undefined;
    const problem = session.identityProblem(gathered.context);
    for (const warning of strayWarnings(gathered.context)) session.emit({ code: 'warning', ...warning });
    const debts = await readDebts(session.state.directory);
    const data = {
      ...everythingOf(
        gathered,
        session.cluster.hosts.map(({ name }) => debts[name]),
      ),
      ...(problem ? { problem: { code: problem.code, message: problem.message, hint: problem.hint } } : {}),
      ...wanted,
    };
    await session.settleDisplay();
    io.stdout.write(
      formatted(options.output, {
        data,
        text: () =>
          [
            ...(problem ? [errorText(problem, painter(io.color.stdout)), ''] : []),
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
            ...data.hosts.flatMap(notReadText),
            ...data.hosts.flatMap(({ name, owed }) =>
              owed === undefined ? [] : [`${name} is not as the cluster file says ${debtText(owed)}`, '  next: slipway apply'],
            ),
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

function notReadText({ name, error }: HostStatus): string[] {
  if (error === undefined) return [];
  return [`${name} could not be read: ${error.message} [${error.code}]`, ...(error.hint === undefined ? [] : [`  next: ${error.hint}`])];
}

function driftText({ drift, pending, notCompared }: Comparison): string {
  return [
    drift.length === 0
      ? notCompared.length === 0
        ? 'No drift: the hosts are as they were left.'
        : 'No drift was found.'
      : table([['HOST', 'TO REPAIR', 'BECAUSE'], ...drift.map(({ host, found, repair }) => [host, repair, found])]),
    ...(drift.length > 0 ? ['', 'slipway repair does this, and nothing else.'] : []),
    ...(notCompared.length > 0 ? [`Whether anything was changed on ${notCompared.join(', ')} is not known.`] : []),
    ...(pending !== undefined && pending > 0 ? [`${pending} steps that the cluster file wants are not done yet: see slipway plan.`] : []),
  ].join('\n');
}
