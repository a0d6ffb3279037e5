import type { Desired } from '../engine/step.ts';
import { apiStep } from './manifests.ts';
import type { Context } from './context.ts';
import { speakerOf } from './nodes.ts';

/**
 * Starts units that talk to the API when there is one: what starts before waits out its clients' back-off, which kept nodes from being ready for ten
 * seconds and more.
 */
export function startedWithApi(context: Context, steps: readonly Desired[]): Desired[] {
  const speaker = speakerOf(context)?.name;
  return steps.map((step) =>
    speaker === undefined || step.action.kind !== 'unit' ? step : { ...step, needs: [...(step.needs ?? []), apiStep(speaker)] },
  );
}
