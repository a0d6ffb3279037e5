/** What the caller can do about an error; the command line derives its exit code from it. */
export type Category =
  | 'usage' // the command line, the cluster file, or a question nobody can answer
  | 'unreachable' // no connection, or authentication refused
  | 'refused' // refused before any change: preflight, version skew, quorum
  | 'locked' // somebody else is at work
  | 'failed' // the run or a verification failed
  | 'aborted' // interrupted, or "no" at the confirmation
  | 'bug'; // ours

/** Where it happened. Lines and columns count from 1. */
export interface Where {
  host?: string;
  phase?: string;
  step?: string;
  file?: string;
  line?: number;
  column?: number;
}

export interface ErrorDetails {
  /** Stable, documented in docs/errors.md: UPPER_SNAKE. */
  code: string;
  category: Category;
  where?: Where | undefined;
  /** What to do next, as one sentence or a command. */
  hint?: string | undefined;
  /** The lines that show it: a unit's own log, a command's last output. */
  evidence?: string | undefined;
  cause?: unknown;
}

const mark = Symbol.for('slipway.error');

/** The one error base: what happened (message), where, why (cause, evidence), and what to do next (hint). */
export class SlipwayError extends Error {
  readonly [mark] = true;
  readonly code: string;
  readonly category: Category;
  readonly where: Where;
  readonly hint: string | undefined;
  readonly evidence: string | undefined;

  constructor(message: string, details: ErrorDetails) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'SlipwayError';
    this.code = details.code;
    this.category = details.category;
    this.where = details.where ?? {};
    this.hint = details.hint;
    this.evidence = details.evidence;
  }
}

/** `instanceof` fails across realms (jest, two copies of the package), so the mark decides. */
export function isSlipwayError(error: unknown): error is SlipwayError {
  return typeof error === 'object' && error !== null && mark in error;
}

/** Several errors of equal standing, e.g. every problem of a cluster file or one per host. */
export class SlipwayErrors extends SlipwayError {
  readonly errors: readonly SlipwayError[];

  constructor(message: string, details: ErrorDetails, errors: readonly SlipwayError[]) {
    super(message, details);
    this.errors = errors;
  }
}

/** One error for one cause; several keep their own words under one roof, with the category of the first. */
export function gatherErrors(errors: readonly unknown[], summary: string): unknown {
  if (errors.length === 1) return errors[0];
  const ours = errors.filter(isSlipwayError);
  const first = ours[0];
  if (!first || ours.length !== errors.length) return errors.find((error) => !isSlipwayError(error));
  return new SlipwayErrors(summary, { code: first.code, category: first.category }, ours);
}

/** A violated assumption of our own code. */
export function bug(message: string, cause?: unknown): SlipwayError {
  return new SlipwayError(message, {
    code: 'BUG',
    category: 'bug',
    cause,
    hint: 'This is a mistake in Slipway itself: please report it with the log file.',
  });
}

/** The text of anything thrown. */
export function messageOf(error: unknown): string {
  if (typeof error === 'object' && error !== null && 'message' in error && typeof error.message === 'string') return error.message;
  return String(error);
}
