import { makePlan, type Plan } from '../engine/plan.ts';
import type { Gathered } from '../engine/pipeline.ts';
import { OPERATOR } from '../engine/step.ts';
import { apply } from '../../playbooks/apply.ts';
import { repair } from '../../playbooks/repair.ts';
import type { Context } from '../phases/context.ts';

export interface Drift {
  host: string;
  /** Step id, as in a plan. */
  step: string;
  /** What is not as it was left. */
  found: string;
  /** What `slipway repair` does about it. */
  repair: string;
}

/** What somebody changed on the hosts, and how many steps the cluster file wants besides. */
export function driftOf({ context, states }: Gathered<Context>): { drift: Drift[]; pending: number } {
  const judged = ({ steps }: Plan): Plan['steps'] => steps.filter(({ host, action }) => host !== OPERATOR && action.kind !== 'wait');
  const drift = judged(makePlan(repair, context, states));
  return {
    drift: drift.map(({ host, id, words, reason }) => ({ host, step: id, found: reason, repair: words })),
    pending: judged(makePlan(apply, context, states)).length - drift.length,
  };
}
