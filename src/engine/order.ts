import { bug } from '../base/errors.ts';
import { OPERATOR, type Step, type StepId } from './step.ts';

/** What orders a step: where it runs, and what must be done before. */
export type Ordered = Pick<Step, 'id' | 'host' | 'lane' | 'needs' | 'concerns'>;

/** The host whose work ends when the step fails. */
export const concernOf = ({ concerns, host }: Pick<Step, 'concerns' | 'host'>): string => concerns ?? host;

/** Steps of one lane run one after the other. Local work has no order but its needs: certificates are issued while artefacts are fetched. */
export function laneOf(step: Ordered): string {
  return step.host === OPERATOR ? step.id : `${step.host} ${step.lane} ${concernOf(step)}`;
}

/** By id: what a step waits for, which is its needs and the step before it in its lane. */
export function waitsFor(steps: readonly Ordered[]): Map<StepId, readonly StepId[]> {
  const last = new Map<string, StepId>();
  return new Map(
    steps.map((step) => {
      const lane = laneOf(step);
      const before = last.get(lane);
      last.set(lane, step.id);
      return [step.id, before === undefined ? step.needs : [...new Set([before, ...step.needs])]];
    }),
  );
}

/** The steps that can never begin: each waits for itself by way of others, or for what is not there. */
export function neverBegun<S extends Ordered>(steps: readonly S[]): S[] {
  const waits = waitsFor(steps);
  const left = new Map([...waits].map(([id, ids]) => [id, ids.length]));
  const after = new Map<StepId, StepId[]>();
  for (const [id, ids] of waits) {
    for (const before of ids) {
      if (!after.has(before)) after.set(before, []);
      after.get(before)!.push(id);
    }
  }
  const ready = [...left].flatMap(([id, count]) => (count === 0 ? [id] : []));
  for (const id of ready) {
    left.delete(id);
    for (const next of after.get(id) ?? []) {
      left.set(next, left.get(next)! - 1);
      if (left.get(next) === 0) ready.push(next);
    }
  }
  return steps.filter(({ id }) => left.has(id));
}

/** Throws BUG, naming a circle, when some of these steps could never begin. */
export function refuseCircles(steps: readonly Ordered[]): void {
  const stuck = new Set(neverBegun(steps).map(({ id }) => id));
  if (stuck.size === 0) return;
  const waits = waitsFor(steps);
  const path: StepId[] = [];
  for (let id: StepId | undefined = [...stuck][0]; id !== undefined;) {
    const met = path.indexOf(id);
    if (met >= 0) throw bug(`steps of the plan wait for each other: ${[...path.slice(met), id].join(' waits for ')}`);
    path.push(id);
    id = waits.get(id)?.find((before) => stuck.has(before) || !waits.has(before));
  }
  throw bug(`a step of the plan waits for one that is not planned: ${path.join(' waits for ')}`);
}
