import { readFile } from 'node:fs/promises';
import { SlipwayError, messageOf } from '../../base/errors.ts';
import { readDiffs } from '../../engine/current.ts';
import { runPipeline, type Finish } from '../../engine/pipeline.ts';
import { explainUnits } from '../../checks/verify/unit-log.ts';
import { operator } from '../../phases/operator.ts';
import { planning } from '../apply-pipeline.ts';
import type { Handler } from '../command.ts';
import { confirmPlan } from '../confirm.ts';
import { exitCodes } from '../exit-code.ts';
import type { Io } from '../io.ts';
import { globalOptions, type GlobalOptions } from '../options.ts';
import { withSession } from '../session.ts';
import { seconds } from '../style.ts';
import { verifyCluster } from '../verify.ts';

/** Makes the hosts what the cluster file says, after showing what that means. */
export const apply: Handler = async ({ args, options: given }, io) => {
  const options = globalOptions(given);
  const start = performance.now();
  const saved = args[0] === undefined ? undefined : await savedDigest(args[0]);
  return withSession('apply', { options, io }, async (session) => {
    const { fetchFirst, ...shared } = planning(session, options);
    const finish = await runPipeline({
      ...shared,
      confirm: async (plan, gathered) => {
        if (saved !== undefined && plan.digest !== saved) throw outdated(args[0]!);
        await session.settleDisplay();
        const confirmed = await confirmPlan(plan, {
          options,
          io,
          context: gathered.context,
          diffs: await readDiffs(plan, session.runner),
        });
        if (confirmed) await fetchFirst(gathered);
        return confirmed;
      },
      verify: (gathered, changed) =>
        verifyCluster(session, { context: { ...gathered.context, inventory: session.state.inventory() }, quick: !changed }),
      runner: session.runner,
      operator: ({ context }) => operator({ store: session.store, state: session.state, context }),
      lock: session.lock,
      explain: explainUnits,
    });
    session.emit({ code: 'run.finished', ok: finish.kind !== 'declined', ms: Math.round(performance.now() - start), stats: session.stats });
    await session.settleDisplay();
    return report(finish, { io, ms: performance.now() - start, options });
  });
};

async function savedDigest(path: string): Promise<string> {
  try {
    const { digest } = JSON.parse(await readFile(path, 'utf8')) as { digest?: unknown };
    if (typeof digest === 'string') return digest;
    throw new Error('it has no digest');
  } catch (cause) {
    throw new SlipwayError(`${path} is not a saved plan: ${messageOf(cause)}`, {
      code: 'PLAN_UNREADABLE',
      category: 'usage',
      where: { file: path },
      hint: 'make one with slipway plan --out FILE',
      cause,
    });
  }
}

function outdated(path: string): SlipwayError {
  return new SlipwayError(`${path} is not the plan that follows from the cluster file and the hosts as they are now`, {
    code: 'PLAN_OUTDATED',
    category: 'refused',
    where: { file: path },
    hint: 'look at the new plan: slipway plan --out FILE',
  });
}

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
