import { randomBytes } from 'node:crypto';
import { isSlipwayError, messageOf } from '../base/errors.ts';
import type { Runner } from '../remote/runner.ts';
import { deliveryBatch, readReport, stepsBatch, type Batch, type BatchOptions } from './batch.ts';
import { nameOf, type Emit } from './events.ts';
import type { LocalHandler, Materials } from './materials.ts';
import type { Plan } from './plan.ts';
import { RUN } from './state.ts';
import { OPERATOR, type Step } from './step.ts';

export interface ExecuteOptions {
  run: string;
  runner(host: string): Promise<Runner>;
  materials: Materials;
  local: Readonly<Record<string, LocalHandler>>;
  emit: Emit;
  /** Aborted by the first Ctrl-C: steps that run are finished, no other is started. */
  stop: AbortSignal;
  /** How many hosts receive archives at the same time. */
  uploads?: number;
}

export interface Failure {
  step: Step;
  message: string;
  /** The step's last lines of output. */
  evidence: string;
  /** What was thrown, when the script itself did not get to say that it failed. */
  cause?: unknown;
}

export interface Outcome {
  failures: readonly Failure[];
  done: number;
  skipped: number;
  stopped: boolean;
}

type Status = 'waiting' | 'running' | 'done' | 'failed' | 'skipped';

const EVIDENCE_LINES = 400;

/**
 * Runs a plan as a graph. Every host has its lanes; a lane sends all its ready steps as one script. The first failure ends its host and
 * whatever needs the failed step; the other hosts go on.
 */
export async function execute(plan: Plan, options: ExecuteOptions): Promise<Outcome> {
  const status = new Map<string, Status>(plan.steps.map((step) => [step.id, 'waiting']));
  const lanes = groupByLane(plan.steps);
  const busy = new Set<string>();
  const failures: Failure[] = [];
  const uploadSlots = semaphore(options.uploads ?? 8);
  const running = new Set<Promise<void>>();

  const set = (step: Step, value: Status): void => void status.set(step.id, value);
  const is = (id: string, value: Status): boolean => status.get(id) === value;

  const fail = (step: Step, message: string, { evidence = '', cause }: Partial<Failure> = {}): void => {
    set(step, 'failed');
    failures.push({ step, message, evidence, cause });
    options.emit({ code: 'step.failed', step: nameOf(step), message, evidence });
    skipAfter(step);
  };
  const skipAfter = (failed: Step): void => {
    for (let changed = true; changed;) {
      changed = false;
      for (const step of plan.steps) {
        if (!is(step.id, 'waiting')) continue;
        const need = step.needs.find((id) => is(id, 'failed') || is(id, 'skipped'));
        if (need === undefined && (step.host !== failed.host || step.host === OPERATOR)) continue;
        set(step, 'skipped');
        options.emit({ code: 'step.skipped', step: nameOf(step), because: need ?? failed.id });
        changed = true;
      }
    }
  };

  const ready = (lane: readonly Step[]): Step[] => {
    const batch: Step[] = [];
    for (const step of lane.filter((s) => is(s.id, 'waiting'))) {
      if (!step.needs.every((id) => is(id, 'done') || batch.some((b) => b.id === id))) break;
      batch.push(step);
      if (step.host === OPERATOR) break;
    }
    return batch;
  };

  const runBatch = async (steps: readonly Step[]): Promise<void> => {
    const host = steps[0]!.host;
    if (host === OPERATOR) return runLocal(steps[0]!);
    const token = randomBytes(9).toString('hex');
    let current = 0;
    let startedAt = 0;
    let output: string[] = [];
    try {
      const runner = await options.runner(host);
      const batchOptions: BatchOptions = { run: options.run, token, bytes: (ref) => options.materials.bytes(ref) };
      const batch = await render(steps, batchOptions);
      const result = await runner.run(batch.script, {
        stdin: batch.stdin,
        timeoutMs: 1000 * (600 + steps.reduce((sum, { action }) => sum + (action.kind === 'wait' ? action.timeoutSeconds : 0), 0)),
        onLine: (line) => {
          const report = readReport(line, token);
          if (report.kind === 'output') {
            output.push(report.text);
            if (output.length > EVIDENCE_LINES) output.shift();
            return;
          }
          const step = steps[report.index]!;
          current = report.index;
          if (report.kind === 'started') {
            startedAt = performance.now();
            if (steps[0]!.lane !== 'delivery') output = [];
            set(step, 'running');
            options.emit({ code: 'step.started', step: nameOf(step) });
          } else if (report.kind === 'done') {
            set(step, 'done');
            options.emit({ code: 'step.done', step: nameOf(step), ms: Math.round(performance.now() - startedAt) });
            if (step.lane === 'delivery') pump();
          } else if (report.kind === 'failed') {
            fail(step, `could not ${step.words}`, { evidence: output.join('\n') });
          } else if (report.kind === 'displaced') {
            fail(step, `another run has taken ${host} over`);
          }
        },
      });
      const left = steps.find((step) => is(step.id, 'running') || is(step.id, 'waiting'));
      if (left && !options.stop.aborted && !steps.some((step) => is(step.id, 'failed')))
        fail(left, `the script ended early (exit code ${result.code})`, { evidence: (output.join('\n') + result.stderr).trim() });
    } catch (error) {
      const step = steps.find((s) => is(s.id, 'running')) ?? steps.find((s) => is(s.id, 'waiting')) ?? steps[current]!;
      // What a step said before its connection broke explains nothing.
      fail(step, messageOf(error), {
        cause: error,
        evidence: isSlipwayError(error) && error.category === 'unreachable' ? '' : output.join('\n'),
      });
    }
  };

  const render = async (steps: readonly Step[], batchOptions: BatchOptions): Promise<Batch> => {
    if (steps[0]!.lane !== 'delivery') return stepsBatch(steps, batchOptions);
    const deliveries = await Promise.all(
      steps.map(({ action, host }) => {
        if (action.kind !== 'artefact') throw new Error(`the delivery lane carries artefacts only, not ${action.kind}`);
        return options.materials.archive(action.name, action.version, host);
      }),
    );
    return deliveryBatch(steps, deliveries, batchOptions);
  };

  const runLocal = async (step: Step): Promise<void> => {
    const start = performance.now();
    set(step, 'running');
    options.emit({ code: 'step.started', step: nameOf(step) });
    try {
      if (step.action.kind !== 'local') throw new Error(`${step.action.kind} cannot run on the operator's machine`);
      const handler = options.local[step.action.task];
      if (!handler) throw new Error(`nobody handles the local task ${step.action.task}`);
      await handler(step.action.parameters, {
        progress: (text) => options.emit({ code: 'step.progress', step: nameOf(step), text }),
        signal: options.stop,
      });
      set(step, 'done');
      options.emit({ code: 'step.done', step: nameOf(step), ms: Math.round(performance.now() - start) });
    } catch (error) {
      fail(step, messageOf(error), { cause: error, evidence: isSlipwayError(error) ? (error.evidence ?? '') : '' });
    }
  };

  const pump = (): void => {
    if (options.stop.aborted) return;
    for (const [key, lane] of lanes) {
      if (busy.has(key)) continue;
      const batch = ready(lane);
      if (batch.length === 0) continue;
      busy.add(key);
      const work = batch[0]!.lane === 'delivery' ? uploadSlots(() => runBatch(batch)) : runBatch(batch);
      const settled: Promise<void> = work.finally(() => {
        busy.delete(key);
        running.delete(settled);
        pump();
      });
      running.add(settled);
    }
  };

  const onStop = (): void => void tellHostsToStop(plan, options);
  options.stop.addEventListener('abort', onStop, { once: true });
  pump();
  while (running.size > 0) await Promise.race(running);
  options.stop.removeEventListener('abort', onStop);

  const count = (value: Status): number => plan.steps.filter((step) => is(step.id, value)).length;
  return { failures, done: count('done'), skipped: plan.steps.length - count('done') - count('failed'), stopped: options.stop.aborted };
}

/** A script looks for this file before each step. */
async function tellHostsToStop(plan: Plan, options: ExecuteOptions): Promise<void> {
  const hosts = new Set(plan.steps.map((step) => step.host).filter((host) => host !== OPERATOR));
  await Promise.allSettled([...hosts].map(async (host) => (await options.runner(host)).run(`: >${RUN}/stop`)));
}

function groupByLane(steps: readonly Step[]): Map<string, Step[]> {
  const lanes = new Map<string, Step[]>();
  for (const step of steps) {
    // Local work has no order but its needs: certificates are issued while artefacts are fetched.
    const key = step.host === OPERATOR ? step.id : `${step.host} ${step.lane}`;
    lanes.set(key, [...(lanes.get(key) ?? []), step]);
  }
  return lanes;
}

function semaphore(limit: number): <T>(work: () => Promise<T>) => Promise<T> {
  let free = limit;
  const queue: (() => void)[] = [];
  return async (work) => {
    if (free > 0) free--;
    else await new Promise<void>((resolve) => queue.push(resolve));
    try {
      return await work();
    } finally {
      const next = queue.shift();
      if (next) next();
      else free++;
    }
  };
}
