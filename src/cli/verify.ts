import { randomBytes } from 'node:crypto';
import { SlipwayError, SlipwayErrors } from '../base/errors.ts';
import { quickVerify, verify, type Answer } from '../checks/verify/index.ts';
import type { VerifyContext } from '../checks/verify/verify.ts';
import { NODES_PROBE } from '../phases/nodes.ts';
import type { Context } from '../phases/context.ts';
import { checkCode } from './error-tables.ts';
import type { Session } from './session.ts';

/** Seconds that a cluster which was just installed may need until everything runs. */
const PATIENCE_AFTER_RUN = 90;
/** Seconds for a cluster that is said to run. */
const PATIENCE = 10;

export interface RunVerifyOptions {
  context: Context;
  /** The context was gathered a moment ago, and nothing was changed since. */
  current: boolean;
  deep?: boolean;
}

/** Every check's answer; throws only when it was interrupted. */
export async function runVerify(session: Session, { context, current, deep = false }: RunVerifyOptions): Promise<Answer[]> {
  session.emit({ code: 'stage', stage: 'verify' });
  const answers = await verify(verifyContext(session, { context, current }), { deep, suffix: randomBytes(3).toString('hex') });
  if (session.stop.aborted) {
    throw new SlipwayError('the verification was interrupted', {
      code: 'INTERRUPTED',
      category: 'aborted',
      hint: 'what it made in the cluster is being removed; run slipway verify again',
    });
  }
  return answers;
}

/**
 * Whether the cluster really works, after a run; `quick`, after an empty plan: what the gathering already told, with no question to any host.
 *
 * @throws SlipwayErrors VERIFY_FAILED with one error for each check that fails.
 */
export async function verifyCluster(session: Session, { context, quick }: { context: Context; quick: boolean }): Promise<void> {
  const answers = quick
    ? quickVerify(verifyContext(session, { context, current: true }))
    : await runVerify(session, { context, current: false });
  const error = verifyError(answers);
  if (error) throw error;
}

/** What the failing answers amount to; undefined: none fails. */
export function verifyError(answers: readonly Answer[]): SlipwayErrors | undefined {
  const failed = answers.filter(({ ok }) => ok === 'fail');
  if (failed.length === 0) return undefined;
  return new SlipwayErrors(
    failed.length === 1 ? 'a check of the cluster fails' : `${failed.length} checks of the cluster fail`,
    { code: 'VERIFY_FAILED', category: 'failed', hint: 'mend what is named, or let slipway apply do it; then slipway verify again' },
    failed.map(
      ({ id, message, hint, evidence, findings = [] }) =>
        new SlipwayError(message, {
          code: checkCode('VERIFY', id),
          category: 'failed',
          where: findings.length === 1 && findings[0]!.hosts.length === 1 ? { host: findings[0]!.hosts[0]! } : {},
          hint,
          evidence,
        }),
    ),
  );
}

function verifyContext(session: Session, { context, current }: { context: Context; current: boolean }): VerifyContext {
  const { facts, states, versions, inventory, now, render } = context;
  const unread = (context.unread ?? []).map(({ host, error }) => ({ host, why: error.message, hint: error.hint }));
  const hosts = context.cluster.hosts.filter(({ name }) => facts[name] !== undefined);
  return {
    ...{ facts, states, versions, inventory, now, render },
    // What a limit left unread is not judged.
    cluster: { ...context.cluster, hosts },
    leftOut: context.cluster.hosts
      .filter((host) => !hosts.includes(host) && !unread.some((one) => one.host.name === host.name))
      .map(({ name }) => name),
    unread,
    statesAreCurrent: current,
    identityProblem: session.identityProblem(context),
    nodesProbe: NODES_PROBE.name,
    runner: session.runner,
    emit: session.emit,
    stop: session.stop,
    patience: current ? PATIENCE : PATIENCE_AFTER_RUN,
  };
}
