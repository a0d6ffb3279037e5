import type { Desired } from '../engine/step.ts';
import { apiStep } from './addons.ts';
import type { Context } from './context.ts';
import { speakerOf } from './nodes.ts';

/**
 * Starts what talks to the API when there is one: units that were started before would wait out their back-off, of ten seconds and more. They
 * have a lane of their own, so that everything else on the host goes on. On the control plane that speaks they start at once, beside its API server.
 */
export function startedWithApi(context: Context, steps: readonly Desired[]): Desired[] {
  const speaker = speakerOf(context);
  return steps.map((step) => {
    if (step.action.kind !== 'unit' || !speaker || step.host === speaker.name) return step;
    const own = steps.filter((other) => other.host === step.host && other.action.kind !== 'unit').map(({ id }) => id);
    return { ...step, lane: 'clients', needs: [...(step.needs ?? []), ...own, apiStep(speaker.name)] };
  });
}
