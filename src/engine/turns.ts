import { groupBy } from '../base/group.ts';
import { waitsFor } from './order.ts';
import type { Plan } from './plan.ts';
import type { Step, StepId } from './step.ts';

/** Changes of one kind: on which hosts they are made together, and after which others. */
export interface Turns {
  /** What the changes are called behind their hosts. */
  kind: string;
  /** Hosts, in the order in which they have their turn. */
  hosts: readonly (readonly string[])[];
  /** What of it is noticed. */
  effects: readonly string[];
}

/** Read from the order of the steps themselves: two hosts have their turn together when nothing makes one wait for the other. */
export function turnsOf({ steps }: Plan): Turns[] {
  const byId = new Map(steps.map((step) => [step.id, step]));
  const waits = waitsFor(steps);
  const kinds = groupBy(
    steps.filter(({ change }) => change !== undefined),
    ({ change }) => kindOf(change!),
  );
  return [...kinds].map(([kind, own]) => {
    const known = new Map<StepId, number>();
    /** How many changes of this kind are made before a step, one after the other. */
    const before = (id: StepId): number => {
      const found = known.get(id);
      if (found !== undefined) return found;
      const step = byId.get(id)!;
      const depth = Math.max(0, ...waits.get(id)!.map((each) => before(each) + (follows(step, byId.get(each)!, kind) ? 1 : 0)));
      known.set(id, depth);
      return depth;
    };
    const turns = new Map<number, Set<string>>();
    for (const { id, host } of own) turns.set(before(id), (turns.get(before(id)) ?? new Set()).add(host));
    const hosts = [...turns].sort(([a], [b]) => a - b).map(([, each]) => [...each]);
    return { kind, hosts, effects: [...new Set(own.flatMap(({ effect }) => (effect === undefined ? [] : [effect])))] };
  });
}

const kindOf = (change: string): string => change.slice(change.indexOf('/') + 1);

/** Whether what stands before a step ends a change of the kind to which the step itself does not belong. */
const follows = (step: Step, before: Step, kind: string): boolean =>
  before.change !== undefined && before.change !== step.change && kindOf(before.change) === kind;
