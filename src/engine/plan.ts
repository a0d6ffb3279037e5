import { createHash } from 'node:crypto';
import { bug } from '../base/errors.ts';
import { reasonFor } from './actions/index.ts';
import type { Playbook } from './phase.ts';
import { emptyState, type HostState } from './state.ts';
import { OPERATOR, type Desired, type Step } from './step.ts';

/** What will happen, as data: the same list is printed, confirmed, saved and run. */
export interface Plan {
  /** sha256 over the steps: equal plans have equal digests. */
  digest: string;
  steps: readonly Step[];
}

/**
 * Asks every phase of a playbook what it wants, and keeps what is not so yet. Pure: the same context gives the same plan.
 * A need on something that is so already is met; so only needs between planned steps remain.
 */
export function makePlan<C>(
  { phases, only }: Pick<Playbook<C>, 'phases' | 'only'>,
  context: C,
  states: Readonly<Record<string, HostState>>,
): Plan {
  const wanted = phases.flatMap((phase) => phase.plan(context).map((desired) => ({ phase: phase.id, desired })));
  const due = new Map<string, Step>();
  const known = new Set<string>();
  for (const { phase, desired } of wanted) {
    if (known.has(desired.id)) throw bug(`two steps are called ${desired.id}`);
    known.add(desired.id);
    const reason = reasonFor(desired.action, desired.host === OPERATOR ? emptyState : (states[desired.host] ?? emptyState));
    if (reason !== undefined) due.set(desired.id, complete(desired, phase, reason));
  }
  for (const { phase, desired } of wanted) {
    const cause = desired.dueWith?.find((id) => due.has(id));
    if (cause !== undefined && !due.has(desired.id))
      due.set(desired.id, complete(desired, phase, `if need be, after this: ${due.get(cause)!.words}`));
  }
  if (only) for (const id of leftOut(due, only(context))) due.delete(id);
  const accompanied = ({ onlyWith }: Desired): boolean => onlyWith === undefined || onlyWith.some((id) => due.has(id));
  const planned = new Map(
    wanted.flatMap(({ desired }) => (due.has(desired.id) && accompanied(desired) ? [[desired.id, due.get(desired.id)!] as const] : [])),
  );
  const steps = [...planned.values()].map(({ onlyWith: _, dueWith: __, mends: ___, ...step }) => ({
    ...step,
    needs: step.needs.filter((id) => planned.has(id)),
  }));
  return { digest: digestOf(steps), steps };
}

/** The steps that a playbook leaves alone: those on hosts that it does not want, and what the operator would only do for them. */
function leftOut(due: ReadonlyMap<string, Step>, wants: (step: Step) => boolean): string[] {
  const kept = new Set<string>();
  const keep = (step: Step): void => {
    if (kept.has(step.id)) return;
    kept.add(step.id);
    for (const id of step.needs) {
      const needed = due.get(id);
      if (needed?.host === OPERATOR) keep(needed);
    }
  };
  for (const step of due.values()) if (step.host !== OPERATOR && (step.onlyWith !== undefined || wants(step))) keep(step);
  return [...due.keys()].filter((id) => !kept.has(id));
}

function complete(desired: Desired, phase: string, reason: string): Step {
  return { ...desired, phase, reason, lane: desired.lane ?? 'main', needs: desired.needs ?? [] };
}

export function digestOf(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex');
}

/**
 * Digest of what a step wants, as a host remembers it. What is referred to changes through verbs of its own, and its bytes are not known before
 * they are made; so only that it is wanted counts.
 */
export function wantedDigest({ action }: Pick<Desired, 'action'>): string {
  const content =
    action.kind === 'file' && 'ref' in action.content
      ? { ...action, content: action.content.ref }
      : action.kind === 'artefact'
        ? { ...action, digest: undefined }
        : action;
  return digestOf(content).slice(0, 16);
}

/** Local work is only there for others: a plan without a step on a host changes nothing on any host. */
export function isEmpty(plan: Plan): boolean {
  return plan.steps.length === 0;
}
