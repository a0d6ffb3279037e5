import { randomBytes } from 'node:crypto';
import { isSlipwayError, messageOf } from '../base/errors.ts';
import { groupBy } from '../base/group.ts';
import type { Runner } from '../remote/runner.ts';
import { deliveryBatch, readReport, stepsBatch, type Batch, type BatchOptions, type PutBack } from './batch.ts';
import { nameOf, type Emit } from './events.ts';
import type { LocalHandler, Materials } from './materials.ts';
import { concernOf, laneOf, waitsFor } from './order.ts';
import { hostsOf, type Plan } from './plan.ts';
import { RUN } from './state.ts';
import { OPERATOR, type Step, type StepId } from './step.ts';

export interface ExecuteOptions {
  run: string;
  runner(host: string): Promise<Runner>;
  materials: Materials;
  local: Readonly<Record<string, LocalHandler>>;
  emit: Emit;
  /** Aborted by the first Ctrl-C: steps that run are finished, no other is started. */
  stop: AbortSignal;
  /** Writes the file that a script looks for before each step. */
  stopHost(host: string): void;
  /** How many hosts receive archives at the same time. */
  uploads?: number;
}

export interface Failure {
  step: Step;
  message: string;
  /** The step's last lines of output. */
  evidence: string;
  /** It had begun: what became of it on the host may be unknown. */
  begun: boolean;
  /** Of a change: what became of what it had replaced. */
  putBack?: PutBack | undefined;
  /** What was thrown, when the script itself did not get to say that it failed. */
  cause?: unknown;
}

/** A step that was never begun though nothing failed that it waits for. */
export interface Unfinished {
  step: Step;
  waitsFor: readonly string[];
}

export interface Outcome {
  failures: readonly Failure[];
  /** Empty unless the plan or the engine is wrong; never of a run that was stopped. */
  unfinished: readonly Unfinished[];
  done: number;
  /** Done, and put back when their change failed. */
  undone: number;
  skipped: number;
  stopped: boolean;
}

type Status = 'waiting' | 'running' | 'done' | 'undone' | 'failed' | 'skipped';

const EVIDENCE_LINES = 400;

/** The hosts that a step is done for together; none: it is done for one. */
const eachOf = ({ action }: Step): readonly string[] => (action.kind === 'script' && action.each) || [];

const displaced = (host: string): string => `another run has taken ${host} over`;

/** Seconds without a word from a script and without a byte of what it is sent; beside what a step waits for on purpose. */
const SILENCE = 600;

/**
 * Runs a plan as a graph. Every host has its lanes; a lane sends all its ready steps as one script. The first failure ends its host and
 * whatever needs the failed step; the other hosts go on. What one host does for another one counts as the other's.
 */
export async function execute(plan: Plan, options: ExecuteOptions): Promise<Outcome> {
  const status = new Map<string, Status>(plan.steps.map((step) => [step.id, 'waiting']));
  const lanes = groupBy(plan.steps, laneOf);
  /** Order within a lane is a promise too: what comes after a step that does not happen does not happen either. */
  const waits = waitsFor(plan.steps);
  const busy = new Set<string>();
  /** Sent to a host, which will tell how it went. */
  const sent = new Set<string>();
  const failures: Failure[] = [];
  const uploadSlots = semaphore(options.uploads ?? 8);
  const running = new Set<Promise<void>>();

  const concerned = new Map(plan.steps.map((step) => [step.id, concernOf(step)]));

  const set = (step: Step, value: Status): void => void status.set(step.id, value);
  const is = (id: string, value: Status): boolean => status.get(id) === value;

  const isLost = (id: string): boolean => is(id, 'failed') || is(id, 'skipped') || is(id, 'undone');
  /** Of the hosts that a step is done for together, those on which nothing failed that it needs. */
  const stillFor = (step: Step): readonly string[] => {
    const lost = step.needs.filter(isLost).map((id) => concerned.get(id));
    return eachOf(step).filter((host) => !lost.includes(host));
  };
  /** Whether a step goes on without what is lost. */
  const spares = (step: Step, id: StepId): boolean => eachOf(step).includes(concerned.get(id)!) && stillFor(step).length > 0;
  const forThoseLeft = (step: Step): Step =>
    step.action.kind === 'script' && step.action.each !== undefined ? { ...step, action: { ...step.action, each: stillFor(step) } } : step;

  const fail = (step: Step, message: string, { evidence = '', putBack, cause }: Partial<Failure> = {}): void => {
    const begun = is(step.id, 'running');
    set(step, 'failed');
    failures.push({ step, message, evidence, begun, putBack, cause });
    options.emit({ code: 'step.failed', step: nameOf(step), message, evidence });
    skipAfter(step);
  };
  const skipAfter = (failed: Step): void => {
    for (let changed = true; changed;) {
      changed = false;
      for (const step of plan.steps) {
        if (!is(step.id, 'waiting') || sent.has(step.id)) continue;
        const need = waits.get(step.id)!.find((id) => isLost(id) && !spares(step, id));
        if (need === undefined && (concernOf(step) !== concernOf(failed) || step.host === OPERATOR)) continue;
        set(step, 'skipped');
        options.emit({ code: 'step.skipped', step: nameOf(step), because: need ?? failed.id });
        changed = true;
      }
    }
  };

  const ready = (lane: readonly Step[]): Step[] => {
    const batch: Step[] = [];
    for (const step of lane.filter((s) => is(s.id, 'waiting'))) {
      if (!step.needs.every((id) => is(id, 'done') || batch.some((b) => b.id === id) || (isLost(id) && spares(step, id)))) break;
      batch.push(step);
      if (step.host === OPERATOR) break;
    }
    return batch;
  };

  /** Steps of one host that go there as one script; while they waited for their turn, some may have been skipped. */
  const runBatch = async (chosen: readonly Step[]): Promise<void> => {
    const steps = chosen.filter((step) => is(step.id, 'waiting')).map(forThoseLeft);
    if (steps.length === 0 || options.stop.aborted) return;
    if (steps[0]!.host === OPERATOR) return runLocal(steps[0]!);
    for (const { id } of steps) sent.add(id);
    await runSteps(steps);
    for (const { id } of steps) sent.delete(id);
    const failed = steps.find((step) => is(step.id, 'failed'));
    if (failed) skipAfter(failed);
  };

  const runSteps = async (steps: readonly Step[]): Promise<void> => {
    const host = steps[0]!.host;
    const token = randomBytes(9).toString('hex');
    let startedAt = 0;
    let output: string[] = [];
    let toldToStop = false;
    let putBack: PutBack | undefined;
    /** What this script still owes; nothing begins after a step that failed. Archives are unpacked while the next arrives: several may be running. */
    const owed = (): Step[] => {
      const begun = steps.filter((step) => is(step.id, 'running'));
      if (begun.length > 0 || steps.some((step) => is(step.id, 'failed'))) return begun;
      return steps.filter((step) => is(step.id, 'waiting')).slice(0, 1);
    };
    let shown = new Set<string>();
    try {
      const runner = await options.runner(host);
      const batchOptions: BatchOptions = { run: options.run, token, bytes: (ref) => options.materials.bytes(ref) };
      const batch = await render(steps, batchOptions);
      const result = await runner.run(batch.script, {
        stdin: batch.stdin,
        silentMs: 1000 * (SILENCE + Math.max(...steps.map(patienceOf))),
        onLine: (line) => {
          const report = readReport(line, token);
          if (report.kind === 'output') {
            output.push(report.text);
            if (output.length > EVIDENCE_LINES) output.shift();
            const running = steps.find((step) => is(step.id, 'running'));
            if (running?.action.kind === 'script' && running.action.progress && report.text !== '' && !shown.has(report.text)) {
              shown.add(report.text);
              options.emit({ code: 'step.progress', step: nameOf(running), text: report.text });
            }
            return;
          }
          const step = steps[report.index]!;
          if (report.kind === 'started') {
            startedAt = performance.now();
            shown = new Set();
            if (steps[0]!.lane !== 'delivery') output = [];
            set(step, 'running');
            options.emit({ code: 'step.started', step: nameOf(step) });
          } else if (report.kind === 'done') {
            set(step, 'done');
            options.emit({ code: 'step.done', step: nameOf(step), ms: Math.round(performance.now() - startedAt) });
            if (step.lane === 'delivery') pump();
          } else if (report.kind === 'undone') {
            set(step, 'undone');
            options.emit({ code: 'step.undone', step: nameOf(step) });
          } else if (report.kind === 'failed') {
            fail(step, `could not ${step.summary}`, { evidence: output.join('\n'), putBack });
          } else if (report.kind === 'displaced') {
            fail(step, displaced(host));
          } else if (report.kind === 'stopped') {
            toldToStop = true;
          } else {
            putBack = report.kind;
          }
        },
      });
      if (owed().length === 0 || (toldToStop && options.stop.aborted)) return;
      const message = toldToStop
        ? `${host} was told by somebody else to stop (${RUN}/stop)`
        : ((await takenOver(host)) ?? `the script ended early (exit code ${result.code})`);
      for (const step of owed()) fail(step, message, { evidence: (output.join('\n') + result.stderr).trim() });
    } catch (error) {
      if (isInterruption(error)) return;
      // What a step said before its connection broke explains nothing. When all had been told by then, nothing is unknown.
      const evidence = isSlipwayError(error) && error.category === 'unreachable' ? '' : output.join('\n');
      for (const step of owed()) fail(step, messageOf(error), { cause: error, evidence });
    }
  };

  /** Whoever takes a host over ends what runs there; a script that is ended can't tell. */
  const takenOver = async (host: string): Promise<string | undefined> => {
    const asked = (await options.runner(host)).run(`[ "$(cat ${RUN}/token)" = ${options.run} ] || echo other`);
    const { stdout } = await asked.catch(() => ({ stdout: '' }));
    return stdout.trim() === 'other' ? displaced(host) : undefined;
  };

  /** Whether somebody let go because the run was stopped: that is no failure, and its steps count as not begun. */
  const isInterruption = (error: unknown): boolean => options.stop.aborted && isSlipwayError(error) && error.category === 'aborted';

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
      if (isInterruption(error)) return;
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

  /** Nothing is under way and nothing stopped it: what is left waits for what will never be. */
  const unfinished = (): Unfinished[] => {
    const left = plan.steps.filter((step) => !options.stop.aborted && is(step.id, 'waiting'));
    const found = left.map((step) => ({ step, waitsFor: waits.get(step.id)!.filter((id) => !is(id, 'done')) }));
    for (const { step, waitsFor: ids } of found) {
      set(step, 'failed');
      options.emit({ code: 'step.failed', step: nameOf(step), message: `was never begun: it waits for ${ids.join(', ')}`, evidence: '' });
    }
    return found;
  };

  const onStop = (): void => hostsOf(plan).forEach((host) => options.stopHost(host));
  options.stop.addEventListener('abort', onStop, { once: true });
  pump();
  while (running.size > 0) await Promise.race(running);
  options.stop.removeEventListener('abort', onStop);
  const left = unfinished();

  const count = (value: Status): number => plan.steps.filter((step) => is(step.id, value)).length;
  return {
    failures,
    unfinished: left,
    done: count('done'),
    undone: count('undone'),
    skipped: plan.steps.length - count('done') - count('undone') - count('failed'),
    stopped: options.stop.aborted,
  };
}

/** Seconds that a step may wait on purpose; what is put back is waited for as the change was. */
function patienceOf({ action, change }: Step): number {
  const once = action.kind === 'wait' || action.kind === 'script' ? (action.timeoutSeconds ?? 0) : 0;
  return change === undefined ? once : 2 * once;
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
