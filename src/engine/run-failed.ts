import { SlipwayError, SlipwayErrors, isSlipwayError } from '../base/errors.ts';
import { INCOMING } from './actions/artefact.ts';
import type { Failure, Outcome } from './execute.ts';
import type { Explain } from './pipeline.ts';
import type { Action } from './step.ts';

/** The system's words, and GNU tar's for a write that only the beginning of found room: those do not give the system's reason. */
const FULL = /no space left on device|disk quota exceeded|wrote only \d+ of \d+ bytes/i;

/** One error for each cause: a connection that breaks, or a disk that is full, ends several lanes of a host at the same time. */
export function runFailed(outcome: Outcome, explain: Explain = (evidence) => ({ evidence })): SlipwayError {
  const errors = new Map<string, SlipwayError>();
  for (const failure of outcome.failures) {
    const error = errorOf(failure, explain);
    const key = error.code === 'STEP_FAILED' ? failure.step.id : `${failure.step.host} ${error.code}`;
    if (!errors.has(key)) errors.set(key, error);
  }
  const count = outcome.failures.length;
  const done = `${outcome.done} steps are done, ${outcome.skipped} were not started`;
  return new SlipwayErrors(
    `${count === 1 ? 'a step' : `${count} steps`} failed; ${done}`,
    {
      code: 'RUN_FAILED',
      category: 'failed',
      hint: 'mend the cause and run the same command again: what is done is not done twice',
    },
    [...errors.values()],
  );
}

function errorOf({ step, message, evidence, cause }: Failure, explain: Explain): SlipwayError {
  const explained = explain(evidence);
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
  const { code = 'STEP_FAILED', hint = explained.hint } = isSlipwayError(cause) ? cause : {};
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
