import { runPipeline, type Finish, type Gathered } from '../../engine/pipeline.ts';
import { applying } from '../apply-pipeline.ts';
import type { Handler } from '../command.ts';
import { exitCodes } from '../exit-code.ts';
import type { Io } from '../io.ts';
import { clusterIdOption, globalOptions, type GlobalOptions } from '../options.ts';
import type { Context } from '../../phases/context.ts';
import { settleDebts } from '../owed.ts';
import { planScope } from '../plan-document.ts';
import { readSavedPlan, refuseForeignPlan, refuseOtherPlan } from '../saved-plan.ts';
import { withSession } from '../session.ts';
import { seconds } from '../style.ts';
import { conclude } from '../working.ts';

/** Makes the hosts what the cluster file says, after showing what that means. */
export const apply: Handler = async ({ args, options: given }, io) => {
  const options = globalOptions(given);
  const start = performance.now();
  const saved = args[0] === undefined ? undefined : await readSavedPlan(args[0]);
  const strangers = { accepted: clusterIdOption(given) };
  return withSession('apply', { options, io, strangers }, async (session) => {
    const scope = planScope(session.cluster, options);
    if (saved) refuseForeignPlan(saved, { cluster: session.cluster.name, file: options.file });
    let gathered: Gathered<Context> | undefined;
    const pipeline = applying(session, { options, io });
    const finish = await runPipeline({
      ...pipeline,
      gather: async () => (gathered = await pipeline.gather()),
      accept: (plan) => saved && refuseOtherPlan(saved, plan, scope),
    });
    if (finish.kind !== 'declined')
      await settleDebts(session.state.directory, { context: gathered!.context, cluster: session.cluster, verb: 'slipway apply' });
    const ms = await conclude(session, finish, start);
    return report(finish, { io, ms, options });
  });
};

function report(finish: Finish, { io, ms, options: { file, limit } }: { io: Io; ms: number; options: GlobalOptions }): number {
  if (finish.kind === 'declined') return exitCodes.aborted;
  const also = file === 'cluster.yaml' ? '' : ` -f ${file}`;
  io.stderr.write(
    finish.kind === 'unchanged'
      ? `Nothing to change: ${limit.length === 0 ? 'the cluster' : limit.join(', ')} is as the file says (${seconds(ms)}).\n`
      : `Done in ${seconds(ms)}. Use it:\n  slipway kubeconfig${also} > kubeconfig && export KUBECONFIG=$PWD/kubeconfig\n  kubectl get nodes\n`,
  );
  return exitCodes.ok;
}
