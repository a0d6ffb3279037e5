import { makePlan, type Plan } from '../engine/plan.ts';
import type { Gathered } from '../engine/pipeline.ts';
import { OPERATOR } from '../engine/step.ts';
import { apply } from '../../playbooks/apply.ts';
import { repair } from '../../playbooks/repair.ts';
import type { Context } from '../phases/context.ts';
import { isIndispensable } from '../phases/gather.ts';

export interface Drift {
  host: string;
  /** Step id, as in a plan. */
  step: string;
  /** What is not as it was left. */
  found: string;
  /** What `slipway repair` does about it. */
  repair: string;
}

export interface Comparison {
  drift: Drift[];
  /** How many steps the cluster file wants besides; undefined: nothing could be compared. */
  pending: number | undefined;
  /** Hosts of which it is not known whether somebody changed them. */
  notCompared: string[];
}

/** What somebody changed on the hosts, as far as they were read. */
export function driftOf({ context, states }: Gathered<Context>): Comparison {
  const { cluster, unread = [] } = context;
  // Without its address no file is known that names it.
  if (unread.some(({ host }) => isIndispensable(cluster, host)))
    return { drift: [], pending: undefined, notCompared: cluster.hosts.map(({ name }) => name) };
  const judged = ({ steps }: Plan): Plan['steps'] => steps.filter(({ host, accompanies }) => host !== OPERATOR && !accompanies);
  const drift = judged(makePlan(repair, context, states));
  return {
    drift: drift.map(({ host, id, summary, reason }) => ({ host, step: id, found: reason, repair: summary })),
    pending: judged(makePlan(apply, context, states)).length - drift.length,
    notCompared: unread.map(({ host }) => host.name),
  };
}
