import { reset as playbook } from '../../../playbooks/reset.ts';
import { SlipwayError } from '../../base/errors.ts';
import { runPipeline } from '../../engine/pipeline.ts';
import type { Context } from '../../phases/context.ts';
import { stateDirectory } from '../../pki/state.ts';
import type { Handler } from '../command.ts';
import { confirmByName, refuseWrongName } from '../confirm-name.ts';
import { exitCodes } from '../exit-code.ts';
import { globalOptions } from '../options.ts';
import { planText } from '../plan-text.ts';
import { withSession } from '../session.ts';
import { painter, seconds } from '../style.ts';
import { conclude, working } from '../working.ts';

/** Gives the hosts back as they were found, after the cluster's name was typed. */
export const reset: Handler = async ({ options: given }, io) => {
  const options = globalOptions(given);
  const name = given['confirm'] as string | undefined;
  const start = performance.now();
  return withSession('reset', { options, io }, async (session) => {
    refuseWrongName(session.cluster.name, name);
    const finish = await runPipeline<Context>({
      ...working(session),
      playbook,
      gather: session.gather,
      check: async ({ context }) => refuseStrangers(context),
      confirm: async (plan, { context }) => {
        await session.settleDisplay();
        io.stderr.write(`${planText(plan, { paint: painter(io.color.stderr), details: options.verbose })}\n`);
        const hosts = context.limit ?? context.cluster.hosts.map((host) => host.name);
        const warning = `Everything of the cluster on ${hosts.join(', ')} will be gone, data too.`;
        return confirmByName({ name: session.cluster.name, given: name, warning }, { options, io });
      },
      verify: () => Promise.resolve(),
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

/** What belongs to another cluster is not ours to undo. Throws RESET_FOREIGN. */
function refuseStrangers({ cluster, facts, limit }: Context): void {
  for (const [host, { cluster: found }] of Object.entries(facts)) {
    if (found === undefined || found === cluster.name || (limit !== undefined && !limit.includes(host))) continue;
    throw new SlipwayError(`it belongs to another cluster, ${found}`, {
      code: 'RESET_FOREIGN',
      category: 'refused',
      where: { host },
      hint: `use the cluster file of ${found}`,
    });
  }
}
