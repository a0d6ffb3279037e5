import { readFile } from 'node:fs/promises';
import { SlipwayError, messageOf } from '../../base/errors.ts';
import { runPipeline, type Finish } from '../../engine/pipeline.ts';
import { applying } from '../apply-pipeline.ts';
import type { Handler } from '../command.ts';
import { exitCodes } from '../exit-code.ts';
import type { Io } from '../io.ts';
import { globalOptions, type GlobalOptions } from '../options.ts';
import { withSession } from '../session.ts';
import { seconds } from '../style.ts';
import { conclude } from '../working.ts';

/** Makes the hosts what the cluster file says, after showing what that means. */
export const apply: Handler = async ({ args, options: given }, io) => {
  const options = globalOptions(given);
  const start = performance.now();
  const saved = args[0] === undefined ? undefined : await savedDigest(args[0]);
  return withSession('apply', { options, io }, async (session) => {
    const pipeline = applying(session, { options, io });
    const finish = await runPipeline({
      ...pipeline,
      confirm: (plan, gathered) => {
        if (saved !== undefined && plan.digest !== saved) throw outdated(args[0]!);
        return pipeline.confirm(plan, gathered);
      },
    });
    const ms = await conclude(session, finish, start);
    return report(finish, { io, ms, options });
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
