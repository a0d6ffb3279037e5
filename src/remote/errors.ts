import { messageOf, SlipwayError, type ErrorDetails } from '../base/errors.ts';

type Rest = Partial<Omit<ErrorDetails, 'code'>>;

export function remoteError(host: string, code: string, message: string, rest: Rest = {}): SlipwayError {
  return new SlipwayError(message, { category: 'unreachable', where: { host }, ...rest, code });
}

/** The connection went while something was under way: its outcome is unknown. */
export function connectionLost(host: string, cause?: unknown): SlipwayError {
  const why = cause === undefined ? '' : ` (${messageOf(cause)})`;
  return remoteError(host, 'REMOTE_CONNECTION_LOST', `the connection to ${host} was lost${why}`, {
    cause,
    hint: 'What was under way there may or may not have finished. Run the same command again: it looks at the host first.',
  });
}

export function aborted(host: string): SlipwayError {
  return remoteError(host, 'ABORTED', `interrupted while working on ${host}`, { category: 'aborted' });
}

/** Whether it is a system error with one of these codes. */
export function isCode(error: unknown, ...codes: string[]): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && codes.includes(String(error.code));
}
