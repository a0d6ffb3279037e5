import { reset as playbook } from '../../../playbooks/reset.ts';
import { gatherErrors, SlipwayError } from '../../base/errors.ts';
import { runPipeline } from '../../engine/pipeline.ts';
import { plannedHosts, type Context } from '../../phases/context.ts';
import { ours } from '../../phases/reset/phases.ts';
import { cautions } from '../../phases/reset/limited.ts';
import { stateDirectory } from '../../pki/state.ts';
import type { Handler } from '../command.ts';
import { confirmByName, refuseWrongName } from '../confirm-name.ts';
import { answeringMembers } from '../etcd-health.ts';
import { exitCodes } from '../exit-code.ts';
import { clusterIdOption, globalOptions } from '../options.ts';
import { planText } from '../plan-text.ts';
import { withSession } from '../session.ts';
import { painter, seconds } from '../style.ts';
import { conclude, working } from '../working.ts';

/** Gives the hosts back as they were found, after the cluster's name was typed. */
export const reset: Handler = async ({ options: given }, io) => {
  const options = globalOptions(given);
  const name = given['confirm'] as string | undefined;
  const start = performance.now();
  // What belongs to another cluster is not ours to undo, unless its id is typed: its state directory may be lost.
  const strangers = { undoing: true, accepted: clusterIdOption(given) };
  return withSession('reset', { options, io, strangers, reach: { beside: 'servers' } }, async (session) => {
    refuseWrongName(session.cluster.name, name);
    const finish = await runPipeline<Context>({
      ...working(session),
      playbook,
      gather: session.gather,
      check: async ({ context }) => {
        if (context.limit === undefined) return;
        for (const caution of cautions(context, await answeringMembers(session, context))) session.emit({ code: 'warning', ...caution });
      },
      confirm: async (plan, { context }) => {
        await session.settleDisplay();
        io.stderr.write(`${planText(plan, { paint: painter(io.color.stderr), details: options.verbose })}\n`);
        const hosts = context.limit ?? context.cluster.hosts.map((host) => host.name);
        const warning = `Everything of the cluster on ${hosts.join(', ')} will be gone, data too.`;
        return confirmByName({ name: session.cluster.name, given: name, warning }, { options, io });
      },
      verify: async (_, changed) => {
        if (!changed) return;
        session.emit({ code: 'stage', stage: 'verify' });
        refuseRemains((await session.gather()).context);
      },
    });
    const ms = await conclude(session, finish, start);
    if (finish.kind === 'declined') return exitCodes.aborted;
    io.stderr.write(
      finish.kind === 'unchanged'
        ? `Nothing to do: nothing of the cluster is on ${options.limit.length === 0 ? 'its hosts' : options.limit.join(', ')} (${seconds(ms)}).\n`
        : `Done in ${seconds(ms)}: the hosts are as they were found.\n` +
            (options.limit.length > 0
              ? ''
              : `The authorities and keys of ${session.cluster.name} stay in ${stateDirectory(session.clusterFile, session.cluster.name)}: remove it when you do not need them again.\n`),
    );
    return exitCodes.ok;
  });
};

/** The hosts were asked once more, after the run. Throws RESET_INCOMPLETE. */
function refuseRemains(context: Context): void {
  const errors = plannedHosts(context).flatMap((host) => {
    const paths = ours(context, host, 'path');
    if (paths.length === 0) return [];
    return new SlipwayError(`something of the cluster is still there: ${paths.join(', ')}`, {
      code: 'RESET_INCOMPLETE',
      category: 'failed',
      where: { host: host.name },
      hint: 'run the same command again; if it stays, see on the host what makes it',
    });
  });
  if (errors.length > 0) throw gatherErrors(errors, 'not all hosts are as they were found');
}
