import { randomBytes } from 'node:crypto';
import { quote } from '../base/quote.ts';

export const REMOTE_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Exit code of the preamble when the script did not arrive whole; never seen by callers as a script's own code. */
export const NOT_RUN = 97;

export type Become =
  | 'login-user' // as whoever logged in
  | 'root' // the login user is root already
  | 'sudo' // sudo without a password
  | 'sudo-password'; // the first line on standard input is the password

/**
 * One line, without single quotes, backslashes, line ends or exclamation marks: then the quoted word means the same to sh, bash, zsh,
 * fish and csh, whichever the login shell is. It reads lines until the marker (so a password that sudo did not ask for is thrown away
 * instead of being run), then a byte count, then that many bytes, and evaluates them with the rest of the stream as standard input.
 */
const preamble = [
  'cd /',
  'umask 022',
  'read -r a b c d g r </proc/$$/stat',
  'echo "$1 $$ ${g:-$$}"',
  'echo "$1" >&2',
  'l=',
  'until [ "$l" = "$1" ]',
  `do IFS= read -r l || exit ${NOT_RUN}`,
  'done',
  `IFS= read -r n || exit ${NOT_RUN}`,
  's=$(head -c "$n" && echo .)',
  's=${s%.}',
  `[ "\${#s}" = "$n" ] || exit ${NOT_RUN}`,
  'echo "$1"',
  '(eval "set --; unset a b c d g r l n s; $s")',
  'c=$?',
  'printf %s "$1.$$"',
  'exit $c',
].join('; ');

/** Says that it runs, and ends: whether we may become root at all is asked with it, because it needs no input. */
const greeting = ['echo "$1 $$ 0"', 'echo "$1" >&2', 'echo "$1"'].join('; ');

/** A marker that no output contains by chance. */
export function newMarker(): string {
  return `slipway-${randomBytes(12).toString('hex')}`;
}

/** The command line for one script. Everything in it is fixed but the marker: it may be seen in `ps` by anybody on the host. */
export function commandLine(become: Become, marker: string): string {
  return shellCommand(become, marker, preamble);
}

/** The command line that only finds out whether the shell can be reached that way; it takes no script. */
export function greetingCommandLine(become: Become, marker: string): string {
  return shellCommand(become, marker, greeting);
}

function shellCommand(become: Become, marker: string, program: string): string {
  const user = become === 'login-user' ? ['HOME="$HOME"'] : ['HOME=/root', 'USER=root', 'LOGNAME=root'];
  const clean = ['env', '-i', `PATH=${REMOTE_PATH}`, 'LC_ALL=C', ...user];
  // No -p '': sudo's prompt goes to standard error before our marker, and some implementations of sudo do not know the option.
  const sudo = { 'login-user': [], root: [], sudo: ['sudo', '-n'], 'sudo-password': ['sudo', '-k', '-S'] }[become];
  const outer = sudo.length === 0 ? [] : ['env', '-i', `PATH=${REMOTE_PATH}`, 'LC_ALL=C', ...sudo];
  // sudo resets the environment and PAM may add to it (/etc/environment), so it is cleaned on the inner side too.
  return ['exec', ...outer, ...clean, '/bin/sh', '-c', `'${program}'`, 'slipway', quote(marker)].join(' ');
}

/** What is written to the preamble's standard input before the payload. Throws RangeError on NUL, which no shell variable can hold. */
export function scriptInput(script: string, marker: string): Buffer {
  if (script.includes('\0')) throw new RangeError('a shell script cannot contain a NUL byte');
  const body = Buffer.from(script.endsWith('\n') ? script : `${script}\n`);
  return Buffer.concat([Buffer.from(`${marker}\n${body.length}\n`), body]);
}

export interface Started {
  pid: number;
  /** Process group, to be ended when the script is given up. */
  group: number;
}

/** Passes on a stream up to the end mark. Whole lines are never held back. */
export interface OutputEnd {
  push(chunk: Buffer): Buffer;
  /** Whether the mark has been seen. */
  seen(): boolean;
}

/** The mark holds the shell's process id, so that it is not on any command line, which a script may print. */
export function outputEnd(marker: string, pid: number): OutputEnd {
  const mark = Buffer.from(`${marker}.${pid}`);
  let held: Buffer = Buffer.alloc(0);
  let seen = false;
  return {
    push(chunk) {
      if (seen) return Buffer.alloc(0);
      const data = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
      const at = data.indexOf(mark);
      if (at !== -1) {
        seen = true;
        return data.subarray(0, at);
      }
      let keep = Math.min(data.length, mark.length - 1);
      while (keep > 0 && !data.subarray(data.length - keep).equals(mark.subarray(0, keep))) keep--;
      held = data.subarray(data.length - keep);
      return data.subarray(0, data.length - keep);
    },
    seen: () => seen,
  };
}

export interface MarkedOutput {
  push(chunk: Buffer): void;
  /** What came before the marker: noise of the login shell, sudo's lecture and complaints. */
  noise(): string;
}

/** Splits a stream at its `count` marker lines: `onMarker` gets each marker line's remainder, `onData` everything after the last one. */
export function markedOutput(
  marker: string,
  count: number,
  handlers: { onMarker: (rest: string) => void; onData: (chunk: Buffer) => void },
): MarkedOutput {
  let left = count;
  let pending: Buffer = Buffer.alloc(0);
  let noise = '';
  return {
    push(chunk) {
      if (left === 0) return handlers.onData(chunk);
      pending = Buffer.concat([pending, chunk]);
      for (let end = pending.indexOf(10); end !== -1 && left > 0; end = pending.indexOf(10)) {
        const line = pending.subarray(0, end).toString('utf8');
        pending = pending.subarray(end + 1);
        // The marker need not begin its line: a login shell may have printed something without a line end before it.
        const at = line.indexOf(marker);
        if (at === -1) noise = (noise + line + '\n').slice(-8192);
        else {
          noise += line.slice(0, at);
          left--;
          handlers.onMarker(line.slice(at + marker.length).trim());
        }
      }
      if (left === 0 && pending.length > 0) handlers.onData(pending);
    },
    noise: () => noise + (left > 0 ? pending.toString('utf8') : ''),
  };
}
