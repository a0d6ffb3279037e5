import type { RunnerStats } from '../remote/runner.ts';
import type { Plan } from './plan.ts';
import type { Step } from './step.ts';

/** Everything the engine has to say. Codes and data are a documented contract (docs/events.md); texts are not. */
export type EngineEvent =
  | { code: 'run.started'; verb: string; run: string; hosts: readonly string[] }
  | { code: 'stage'; stage: Stage; detail?: string }
  | { code: 'host.gathered'; host: string }
  | { code: 'host.failed'; host: string; message: string }
  | { code: 'plan.made'; plan: Plan }
  | { code: 'lock.taken'; host: string }
  | { code: 'step.started'; step: StepName }
  | { code: 'step.progress'; step: StepName; text: string }
  | { code: 'step.done'; step: StepName; ms: number }
  | { code: 'step.failed'; step: StepName; message: string; evidence: string }
  | { code: 'step.undone'; step: StepName }
  | { code: 'step.skipped'; step: StepName; because: string }
  | { code: 'check.started'; id: string; title: string }
  | { code: 'check.done'; id: string; title: string; ok: boolean; result: 'pass' | 'warn' | 'fail' | 'untried'; message: string }
  | { code: 'warning'; message: string; hint?: string; host?: string }
  | { code: 'run.finished'; ok: boolean; ms: number; stats: Record<string, RunnerStats> };

export type Stage = 'gather' | 'check' | 'plan' | 'lock' | 'run' | 'verify';

/** The part of a step that identifies it to a reader. */
export type StepName = Pick<Step, 'host' | 'phase' | 'summary'> & { id: string; kind: Step['action']['kind'] };

/** As written to `--events`: one JSON object per line. `time` is ISO 8601 in UTC. */
export type StampedEvent = EngineEvent & { time: string };

export type Emit = (event: EngineEvent) => void;

export function nameOf(step: Step): StepName {
  return { id: step.id, host: step.host, phase: step.phase, summary: step.summary, kind: step.action.kind };
}
