import { createHash } from 'node:crypto';
import { bug } from '../base/errors.ts';
import { groupBy } from '../base/group.ts';
import { reasonFor } from './actions/index.ts';
import { refuseCircles } from './order.ts';
import type { Playbook } from './phase.ts';
import { emptyState, type HostState } from './state.ts';
import { OPERATOR, type Desired, type Step, type StepId } from './step.ts';

/** What will happen, as data: the same list is printed, confirmed, saved and run. */
export interface Plan {
  /** sha256 over the steps: equal plans have equal digests. */
  digest: string;
  steps: readonly Step[];
}

/**
 * Asks every phase of a playbook what it wants, and keeps what is not so yet. Pure: the same context gives the same plan.
 * A need on something that is not planned is met, and what that would have waited for is needed instead: order between planned steps does not depend on
 * what lies between them. A need that no phase wants is a bug.
 */
export function makePlan<C>(
  { phases, skip = [], only }: Pick<Playbook<C>, 'phases' | 'skip' | 'only'>,
  context: C,
  states: Readonly<Record<string, HostState>>,
): Plan {
  const wanted = phases.flatMap((phase) => phase.plan(context).map((desired) => ({ phase: phase.id, desired })));
  const all = wanted.map(({ desired }) => desired);
  refuseUnknown(all);
  const open = wanted.filter(({ phase }) => !skip.includes(phase));
  const due = new Map<StepId, Step>();
  for (const { phase, desired } of open) {
    const reason = reasonFor(desired.action, desired.host === OPERATOR ? emptyState : (states[desired.host] ?? emptyState));
    if (reason !== undefined) due.set(desired.id, complete(desired, phase, reason));
  }
  const wants = only?.(context);
  if (wants) for (const id of leftOut(due, wants)) due.delete(id);
  for (const { phase, desired } of open) {
    const cause = desired.triggeredBy?.find((id) => due.has(id));
    if (cause === undefined || due.has(desired.id)) continue;
    const step = complete(desired, phase, `if need be, after this: ${due.get(cause)!.summary}`);
    if (wants?.(step) ?? true) due.set(desired.id, step);
  }
  const accompanied = ({ onlyIfAny }: Desired): boolean => onlyIfAny === undefined || onlyIfAny.some((id) => due.has(id));
  const planned = new Map(
    all.flatMap((desired) => (due.has(desired.id) && accompanied(desired) ? [[desired.id, due.get(desired.id)!] as const] : [])),
  );
  const needed = needsAmong(planned, all);
  const steps = changesTogether(
    [...planned.values()].map(({ onlyIfAny, triggeredBy: _, drift: __, ...step }) => ({
      ...step,
      ...(onlyIfAny === undefined ? {} : { accompanies: true as const }),
      needs: needed(step),
    })),
  );
  refuseCircles(steps);
  return { digest: digestOf(steps), steps };
}

/** Throws BUG when two steps have one name, or a step needs what no phase wants. */
function refuseUnknown(wanted: readonly Desired[]): void {
  const known = new Set<StepId>();
  for (const { id } of wanted) {
    if (known.has(id)) throw bug(`two steps are called ${id}`);
    known.add(id);
  }
  for (const { id, needs = [] } of wanted) {
    const unknown = needs.find((need) => !known.has(need));
    if (unknown !== undefined) throw bug(`${id} needs ${unknown}, which no phase wants`);
  }
}

const allNeeds = ({ needs = [], after = [] }: Pick<Desired, 'needs' | 'after'>): StepId[] => [...needs, ...after];

/** The planned steps that a step waits for, directly or through steps that are not planned. */
function needsAmong(planned: ReadonlyMap<StepId, Step>, wanted: readonly Desired[]): (step: Step) => StepId[] {
  const needsOf = new Map(wanted.map((desired) => [desired.id, allNeeds(desired)]));
  const through = new Map<StepId, readonly StepId[]>();
  const resolve = (id: StepId): readonly StepId[] => {
    if (planned.has(id)) return [id];
    const known = through.get(id);
    if (known) return known;
    through.set(id, []);
    const found = resolveAll(needsOf.get(id) ?? []);
    through.set(id, found);
    return found;
  };
  const resolveAll = (ids: readonly StepId[]): StepId[] => [...new Set(ids.flatMap(resolve))];
  return ({ needs }) => resolveAll(needs);
}

/**
 * The steps of a change stand together, where the first of them stood, and what it replaces comes before what it restarts: whoever restarts a thing
 * meanwhile finds what belongs together, and nothing is restarted twice. The first waits for what any of them needs: nothing is replaced before all of
 * it can be.
 */
function changesTogether(steps: readonly Step[]): Step[] {
  const changes = groupBy(steps, ({ change = '' }) => change);
  return steps.flatMap((step) => {
    if (step.change === undefined) return [step];
    const change = changes.get(step.change)!;
    if (change[0] !== step) return [];
    const [first, ...rest] = [...change.filter(replaces), ...change.filter((each) => !replaces(each))];
    const within = new Set(change.map(({ id }) => id));
    const needs = [...new Set(change.flatMap((each) => each.needs))].filter((id) => !within.has(id));
    return [{ ...first!, needs }, ...rest.map((each) => ({ ...each, needs: [] }))];
  });
}

const replaces = ({ action }: Step): boolean => !['unit', 'script', 'wait'].includes(action.kind);

/** The steps that a playbook leaves alone: those on hosts that it does not want, and what the operator would only do for them. */
function leftOut(due: ReadonlyMap<StepId, Step>, wants: (step: Step) => boolean): StepId[] {
  const kept = new Set<StepId>();
  const keep = (step: Step): void => {
    if (kept.has(step.id)) return;
    kept.add(step.id);
    for (const id of step.needs) {
      const needed = due.get(id);
      if (needed?.host === OPERATOR) keep(needed);
    }
  };
  for (const step of due.values()) if (step.host !== OPERATOR && (step.onlyIfAny !== undefined || wants(step))) keep(step);
  return [...due.keys()].filter((id) => !kept.has(id));
}

function complete(desired: Desired, phase: string, reason: string): Step {
  const { after: _, ...rest } = desired;
  return { ...rest, phase, reason, lane: desired.lane ?? 'main', needs: allNeeds(desired) };
}

export function digestOf(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex');
}

/**
 * Digest of what a step wants, as a host remembers it. What is referred to changes through verbs of its own, and its bytes are not known before
 * they are made; so only that it is wanted counts. How it is brought about does not.
 */
export function wantedDigest({ action, wanted }: { action: Desired['action']; wanted?: string | undefined }): string {
  return wanted ?? digestOf(lasting(action)).slice(0, 16);
}

function lasting(action: Desired['action']): unknown {
  switch (action.kind) {
    case 'file':
      return 'ref' in action.content ? { ...action, content: action.content.ref } : action;
    case 'artefact':
      return { ...action, digest: undefined };
    case 'directory':
      return { ...action, shared: undefined };
    case 'unit':
      return { ...action, clients: undefined };
    default:
      return action;
  }
}

/** The hosts that a plan has steps on. */
export const hostsOf = ({ steps }: Plan): string[] => [...new Set(steps.map(({ host }) => host))].filter((host) => host !== OPERATOR);
