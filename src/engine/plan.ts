import { createHash } from 'node:crypto';
import { bug } from '../base/errors.ts';
import { reasonFor } from './actions/index.ts';
import type { Phase } from './phase.ts';
import { emptyState, type HostState } from './state.ts';
import { OPERATOR, type Desired, type Step } from './step.ts';

/** What will happen, as data: the same list is printed, confirmed, saved and run. */
export interface Plan {
  /** sha256 over the steps: equal plans have equal digests. */
  digest: string;
  steps: readonly Step[];
}

/**
 * Computes what is missing: asks every phase what it wants, and keeps what is not so yet. Pure: the same context gives the same plan.
 * A need on something that is so already is met; so only needs between planned steps remain.
 */
export function makePlan<C>(phases: readonly Phase<C>[], context: C, states: Readonly<Record<string, HostState>>): Plan {
  const wanted = phases.flatMap((phase) => phase.plan(context).map((desired) => ({ phase: phase.id, desired })));
  const due = new Map<string, Step>();
  const known = new Set<string>();
  for (const { phase, desired } of wanted) {
    if (known.has(desired.id)) throw bug(`two steps are called ${desired.id}`);
    known.add(desired.id);
    const reason = reasonFor(desired.action, desired.host === OPERATOR ? emptyState : (states[desired.host] ?? emptyState));
    if (reason !== undefined) due.set(desired.id, complete(desired, phase, reason));
  }
  const accompanied = ({ onlyWith }: Desired): boolean => onlyWith === undefined || onlyWith.some((id) => due.has(id));
  const planned = new Map(
    wanted.flatMap(({ desired }) => (due.has(desired.id) && accompanied(desired) ? [[desired.id, due.get(desired.id)!] as const] : [])),
  );
  const steps = [...planned.values()].map((step) => ({ ...step, needs: step.needs.filter((id) => planned.has(id)) }));
  return { digest: digestOf(steps), steps };
}

function complete(desired: Desired, phase: string, reason: string): Step {
  const { onlyWith: _, ...step } = desired;
  return { ...step, phase, reason, lane: desired.lane ?? 'main', needs: desired.needs ?? [] };
}

export function digestOf(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex');
}

/** Local work is only there for others: a plan without a step on a host changes nothing on any host. */
export function isEmpty(plan: Plan): boolean {
  return plan.steps.length === 0;
}
