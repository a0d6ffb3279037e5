import { gatherErrors, SlipwayError } from '../base/errors.ts';
import type { Runner } from '../remote/runner.ts';
import type { Emit } from './events.ts';
import { execute, type Outcome } from './execute.ts';
import { runFailed } from './run-failed.ts';
import { takeLock, type HostLock, type LockInfo } from './lock.ts';
import type { LocalHandler, Materials } from './materials.ts';
import { hostsOf, makePlan, type Plan } from './plan.ts';
import type { Playbook } from './phase.ts';
import type { HostState } from './state.ts';

/** What gathering brings: the context that phases plan from, and what the engine compares with. */
export interface Gathered<C> {
  context: C;
  states: Readonly<Record<string, HostState>>;
  /** By host: see takeLock. */
  stamps: Readonly<Record<string, string>>;
}

export interface Pipeline<C> {
  playbook: Playbook<C>;
  gather(): Promise<Gathered<C>>;
  /** Throws when something must be mended first. Looks at what was gathered and at the operator's own files; what it tries on hosts changes nothing. */
  check(gathered: Gathered<C>): Promise<void>;
  /** Throws when this is not the plan that is to be carried out. Called for an empty plan too. */
  accept?(plan: Plan): void;
  /** Shows the plan and asks; false ends the verb with nothing changed. Not called for an empty plan. */
  confirm(plan: Plan, gathered: Gathered<C>): Promise<boolean>;
  /** After a run, and after an empty plan (`changed` false: a quick look). */
  verify(gathered: Gathered<C>, changed: boolean): Promise<void>;
  runner(host: string): Promise<Runner>;
  operator(gathered: Gathered<C>): { materials: Materials; local: Readonly<Record<string, LocalHandler>> };
  lock: LockInfo;
  emit: Emit;
  stop: AbortSignal;
  explain?: Explain;
}

/** What of a failed step's output is worth showing, what it points to, and the code of what it is, where it is known. */
export type Explain = (evidence: string) => { evidence: string; hint?: string; code?: string };

export type Finish = { kind: 'unchanged' } | { kind: 'declined'; plan: Plan } | { kind: 'changed'; plan: Plan; outcome: Outcome };

/** gather, check, plan, confirm, lock and re-check, run, verify: in that order, for every verb. */
export async function runPipeline<C>(pipeline: Pipeline<C>): Promise<Finish> {
  const { emit } = pipeline;
  let { gathered, plan } = await preparePlan(pipeline);
  pipeline.accept?.(plan);
  if (plan.steps.length === 0) return unchanged(pipeline, gathered);
  if (!(await pipeline.confirm(plan, gathered))) return { kind: 'declined', plan };

  emit({ code: 'stage', stage: 'lock' });
  const locks = await takeLocks(hostsOf(plan), pipeline);
  let outcome: Outcome | undefined;
  try {
    if (hostsOf(plan).some((host) => locks.get(host)!.stamp !== gathered.stamps[host])) {
      const now = await preparePlan(pipeline);
      if (now.plan.digest !== plan.digest) {
        refuseUnlocked(now.plan, locks);
        pipeline.accept?.(now.plan);
        emit({
          code: 'warning',
          message: 'the hosts changed between the plan and the lock: an earlier run had not come to its end. What follows is the plan now',
        });
        if (now.plan.steps.length > 0 && !(await pipeline.confirm(now.plan, now.gathered))) return { kind: 'declined', plan: now.plan };
      }
      ({ gathered, plan } = now);
    }
    if (plan.steps.length > 0) {
      emit({ code: 'stage', stage: 'run' });
      outcome = await execute(plan, {
        run: pipeline.lock.run,
        // A connection of its own would work without the lock that went with the other.
        runner: async (host) => {
          const lost = locks.get(host)?.lost();
          if (lost !== undefined) throw lost;
          return pipeline.runner(host);
        },
        ...pipeline.operator(gathered),
        emit,
        stop: pipeline.stop,
        stopHost: (host) => locks.get(host)?.stop(),
      });
    }
  } finally {
    await Promise.allSettled([...locks.values()].map((lock) => lock.release()));
  }
  if (outcome === undefined) return unchanged(pipeline, gathered);
  if (outcome.failures.length > 0 || outcome.unfinished.length > 0) throw runFailed(outcome, pipeline.explain);
  if (outcome.stopped) {
    throw new SlipwayError(`interrupted after ${outcome.done} of ${plan.steps.length} steps`, {
      code: 'INTERRUPTED',
      category: 'aborted',
      hint: 'run the same command again: it goes on from here',
    });
  }
  await pipeline.verify(gathered, true);
  return { kind: 'changed', plan, outcome };
}

/** The part that changes nothing; `slipway plan` is only this. */
export async function preparePlan<C>(
  pipeline: Pick<Pipeline<C>, 'gather' | 'check' | 'playbook' | 'emit' | 'stop'>,
): Promise<{ gathered: Gathered<C>; plan: Plan }> {
  const { emit } = pipeline;
  emit({ code: 'stage', stage: 'gather' });
  const gathered = await pipeline.gather();
  pipeline.stop.throwIfAborted();
  emit({ code: 'stage', stage: 'check' });
  await pipeline.check(gathered);
  emit({ code: 'stage', stage: 'plan' });
  const plan = makePlan(pipeline.playbook, gathered.context, gathered.states);
  emit({ code: 'plan.made', plan });
  return { gathered, plan };
}

/** All or none: a lock that cannot be had releases the others. */
async function takeLocks<C>(hosts: readonly string[], { runner, lock, emit }: Pipeline<C>): Promise<Map<string, HostLock>> {
  const results = await Promise.allSettled(
    hosts.map(async (host) => {
      const held = await takeLock(await runner(host), lock);
      emit({ code: 'lock.taken', host });
      return [host, held] as const;
    }),
  );
  const locks = new Map(results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : [])));
  const refused = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
  if (refused.length === 0) return locks;
  await Promise.allSettled([...locks.values()].map((held) => held.release()));
  throw gatherErrors(refused, 'the locks could not be taken');
}

async function unchanged<C>(pipeline: Pipeline<C>, gathered: Gathered<C>): Promise<Finish> {
  await pipeline.verify(gathered, false);
  return { kind: 'unchanged' };
}

/** Throws PLAN_OUTDATED (refused) when a plan has steps on other hosts than those that are locked. */
function refuseUnlocked(plan: Plan, locks: ReadonlyMap<string, HostLock>): void {
  const others = hostsOf(plan).filter((host) => !locks.has(host));
  if (others.length === 0) return;
  throw new SlipwayError(`the hosts changed between the plan and the lock, and now ${others.join(', ')} would have to change too`, {
    code: 'PLAN_OUTDATED',
    category: 'refused',
    hint: 'run the command again to see the new plan',
  });
}
