import { waiting } from '../engine/step.ts';
import type { Context } from './context.ts';
import type { Installation } from './install.ts';
import { observerOf } from './nodes.ts';
import { apiStep } from './step-ids.ts';

/**
 * Starts units that talk to the API when there is one: what starts before waits out its clients' back-off, which kept nodes from being ready for ten
 * seconds and more.
 */
export function startedWithApi(context: Context, installations: readonly Installation[]): Installation[] {
  const observer = observerOf(context);
  if (observer === undefined) return [...installations];
  return installations.map(({ start, ...rest }) => ({ ...rest, start: start && waiting(start, { after: [apiStep(observer)] }) }));
}
