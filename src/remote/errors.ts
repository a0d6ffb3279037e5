import { messageOf, SlipwayError, type ErrorDetails } from '../base/errors.ts';

/** What a remote error tells beside host and code; the category is `unreachable` unless it says otherwise. */
type Details = Partial<Omit<ErrorDetails, 'code'>> & { message: string };

export function remoteError(host: string, code: string, { message, ...details }: Details): SlipwayError {
  return new SlipwayError(message, { category: 'unreachable', where: { host }, ...details, code });
}

/** The connection went while something was under way: its outcome is unknown. */
export function connectionLost(host: string, cause?: unknown): SlipwayError {
  const why = cause === undefined ? '' : ` (${messageOf(cause)})`;
  return remoteError(host, 'REMOTE_CONNECTION_LOST', {
    message: `the connection to ${host} was lost${why}`,
    cause,
    hint: 'What was under way there may or may not have finished. Run the same command again: it looks at the host first.',
  });
}

export function aborted(host: string): SlipwayError {
  return remoteError(host, 'ABORTED', { message: `interrupted while working on ${host}`, category: 'aborted' });
}

/** Whether it is a system error with one of these codes. */
export function isCode(error: unknown, ...codes: string[]): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && codes.includes(String(error.code));
}
