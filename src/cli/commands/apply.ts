import { apply as playbook } from '../../../playbooks/apply.ts';
import { runPipeline, type Finish } from '../../engine/pipeline.ts';
import { operator } from '../../phases/operator.ts';
import { confirmPlan } from '../confirm.ts';
import type { Io } from '../io.ts';
import { exitCodes } from '../exit-code.ts';
import { preflight } from '../preflight.ts';
import { withSession, type GlobalOptions } from '../session.ts';
import { seconds } from '../style.ts';
import { verifyCluster } from '../verify.ts';

/** Makes the hosts what the cluster file says, after showing what that means. */
export async function apply(options: GlobalOptions, io: Io): Promise<number> {
  const start = performance.now();
  return withSession('apply', { options, io }, async (session) => {
    const finish = await runPipeline({
      playbook,
      gather: session.gather,
      check: (gathered) => preflight(gathered.context, session.emit),
      confirm: (plan, gathered) => confirmPlan(plan, { options, io, cluster: gathered.context.cluster }),
      verify: (gathered, changed) => verifyCluster(session, { context: gathered.context, quick: !changed }),
      runner: session.runner,
      operator: ({ context }) => operator({ store: session.store, state: session.state, context }),
      lock: session.lock,
      emit: session.emit,
      stop: session.stop,
    });
    session.emit({ code: 'run.finished', ok: finish.kind !== 'declined', ms: Math.round(performance.now() - start), stats: session.stats });
    return report(finish, { io, ms: performance.now() - start, file: options.file });
  });
}

function report(finish: Finish, { io, ms, file }: { io: Io; ms: number; file: string }): number {
  if (finish.kind === 'declined') return exitCodes.aborted;
  const also = file === 'cluster.yaml' ? '' : ` -f ${file}`;
  io.stderr.write(
    finish.kind === 'unchanged'
      ? `Nothing to change: the cluster is as the file says (${seconds(ms)}).\n`
      : `Done in ${seconds(ms)}. Use it:\n  slipway kubeconfig${also} > kubeconfig && export KUBECONFIG=$PWD/kubeconfig\n  kubectl get nodes\n`,
  );
  return exitCodes.ok;
}
