import { SlipwayError } from '../base/errors.ts';
import type { Diffs } from '../engine/current.ts';
import type { Plan } from '../engine/plan.ts';
import type { Context } from '../phases/context.ts';
import type { Io } from './io.ts';
import { planText } from './plan-text.ts';
import type { GlobalOptions } from './options.ts';
import { painter } from './style.ts';

/** Shows the plan and asks, unless --yes answers. */
export async function confirmPlan(
  plan: Plan,
  { options, io, context, diffs }: { options: GlobalOptions; io: Io; context: Pick<Context, 'cluster' | 'limit'>; diffs: Diffs },
): Promise<boolean> {
  io.stderr.write(`${planText(plan, { paint: painter(io.color.stderr), details: options.verbose, diffs })}\n`);
  if (options.yes) return true;
  if (!io.interactive || !options.input) {
    throw new SlipwayError('nobody can confirm this plan: there is no terminal', {
      code: 'CONFIRMATION_NEEDED',
      category: 'usage',
      hint: 'look at it with slipway plan, then run the command with --yes',
    });
  }
  const { ask } = await import('./ask.ts');
  const { cluster, limit } = context;
  return ask(`Do this to ${limit === undefined ? `the ${cluster.hosts.length} hosts` : limit.join(', ')} of cluster ${cluster.name}?`);
}
