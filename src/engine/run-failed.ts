import { SlipwayError, SlipwayErrors, isSlipwayError } from '../base/errors.ts';
import { quote } from '../base/quote.ts';
import { INCOMING } from './actions/artefact.ts';
import type { Failure, Outcome, Unfinished } from './execute.ts';
import type { Explain } from './pipeline.ts';
import type { Action } from './step.ts';

/** The system's words, and GNU tar's for a write that only the beginning of found room: those do not give the system's reason. */
const FULL = /no space left on device|disk quota exceeded|wrote only \d+ of \d+ bytes/i;

/** The system's words to root about immutable files and read-only file systems. */
const PROTECTED = /operation not permitted|read-only file system/i;

/** One error for each cause: a connection that breaks, or a disk that is full, ends several lanes of a host at the same time. */
export function runFailed(outcome: Outcome, explain: Explain = (evidence) => ({ evidence })): SlipwayError {
  const causes = new Map<string, { error: SlipwayError; failures: Failure[] }>();
  for (const failure of outcome.failures) {
    const error = errorOf(failure, explain);
    const own = !isSlipwayError(failure.cause) && !['DISK_FULL', 'PATH_PROTECTED'].includes(error.code);
    const key = own ? failure.step.id : `${failure.step.host} ${error.code}`;
    const known = causes.get(key);
    if (known) known.failures.push(failure);
    else causes.set(key, { error, failures: [failure] });
  }
  const errors = [...causes.values()].map(({ error, failures }) =>
    error.code === 'REMOTE_CONNECTION_LOST' ? connectionLostIn(error, failures) : error,
  );
  if (outcome.unfinished.length > 0) errors.push(stepsUnfinished(outcome.unfinished));
  const count = outcome.failures.length + outcome.unfinished.length;
  const undone = outcome.undone > 0 ? `${outcome.undone} were put back, ` : '';
  const done = `${outcome.done} steps are done, ${undone}${outcome.skipped} were not started`;
  return new SlipwayErrors(
    `${count === 1 ? 'a step' : `${count} steps`} failed; ${done}`,
    {
      code: 'RUN_FAILED',
      category: 'failed',
      hint: 'mend the cause and run the same command again: what is done is not done twice',
    },
    errors,
  );
}

/** Several lanes of the host may have been in the middle of something: nobody knows what became of it. */
function connectionLostIn(error: SlipwayError, failures: readonly Failure[]): SlipwayError {
  const words = (some: readonly Failure[]): string => some.map(({ step }) => step.summary).join('; ');
  const begun = failures.filter((failure) => failure.begun);
  const when = begun.length > 0 ? `in the middle of: ${words(begun)}` : `before it began to: ${words(failures.slice(0, 1))}`;
  const { message, code, category, where, hint, cause } = error;
  return new SlipwayError(`${message}, ${when}`, { code, category, where, hint, cause });
}

function stepsUnfinished(unfinished: readonly Unfinished[]): SlipwayError {
  return new SlipwayError(
    unfinished.length === 1
      ? `a step was never begun, though nothing failed: ${unfinished[0]!.step.id}`
      : `${unfinished.length} steps were never begun, though nothing failed`,
    {
      code: 'STEPS_UNFINISHED',
      category: 'failed',
      evidence: unfinished.map(({ step, waitsFor }) => `${step.id} waits for ${waitsFor.join(', ')}`).join('\n'),
      hint: 'This is a mistake in Slipway itself: please report it with the log file. Run the same command again: it goes on from here.',
    },
  );
}

const PUT_BACK = {
  untouched: 'what was written is taken back, and nothing was restarted',
  serving: 'what ran before was put back, and serves again',
  broken: 'what ran before was put back, and does not serve either',
};

function errorOf({ step, message: said, evidence, putBack, cause }: Failure, explain: Explain): SlipwayError {
  const explained = explain(evidence);
  const message = putBack === undefined ? said : `${said}; ${PUT_BACK[putBack]}`;
  const where = { host: step.host, phase: step.phase, step: step.id };
  const full = evidence.split('\n').filter((line) => FULL.test(line));
  if (full.length > 0) {
    const place = placeOf(step.action, full);
    return new SlipwayError(`${message}: no space left${place === undefined ? '' : ` in ${place}`}`, {
      code: 'DISK_FULL',
      category: 'failed',
      where,
      evidence: explained.evidence,
      hint: `make room on ${step.host} (df -h and df -i there show what is full), then run the same command again`,
      cause,
    });
  }
  const path = 'path' in step.action ? step.action.path : undefined;
  if (path !== undefined && PROTECTED.test(evidence))
    return new SlipwayError(`${message}: not even root may change it`, {
      code: 'PATH_PROTECTED',
      category: 'failed',
      where,
      evidence: explained.evidence,
      hint: `lsattr -d ${quote(path)} and findmnt -T ${quote(path)} on ${step.host} show why: an immutable file, or a file system that is mounted read-only`,
      cause,
    });
  const { code = explained.code ?? 'STEP_FAILED', hint = explained.hint } = isSlipwayError(cause) ? cause : {};
  return new SlipwayError(message, { code, category: 'failed', where, evidence: explained.evidence, hint, cause });
}

/** What a line names, or what the step writes. */
function placeOf(action: Action, lines: readonly string[]): string | undefined {
  const words = lines.map((line) => line.slice(0, line.search(FULL))).join('\n');
  const named = [...words.matchAll(/(?:^|[\s"'`:=(])(\/[\w.+@-]+(?:\/[\w.+@-]+)*)/g)].at(-1)?.[1];
  if (named !== undefined) return named;
  if (action.kind === 'artefact') return INCOMING.replace(/\/[^/]+$/, '');
  return 'path' in action ? action.path : undefined;
}
