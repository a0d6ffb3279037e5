import type { Readable, Writable } from 'node:stream';

/** The program's only ways out and in; tests pass their own. */
export interface Io {
  stdout: Writable;
  stderr: Writable;
  stdin: Readable;
  env: Readonly<Record<string, string | undefined>>;
  /** A person can be asked: standard input and standard error are terminals, and this is no CI job. */
  interactive: boolean;
  /** Standard error is a terminal that can redraw lines. */
  animated: boolean;
  /** Colours may be used on standard error and standard output. */
  color: { stderr: boolean; stdout: boolean };
  /** Calls back on every Ctrl-C (or SIGTERM) until the returned function is called. */
  onInterrupt(callback: () => void): () => void;
}

export function processIo(): Io {
  const { stdout, stderr, stdin, env } = process;
  const dumb = env['TERM'] === 'dumb';
  const colored = (stream: NodeJS.WriteStream): boolean => {
    if (env['NO_COLOR']) return false;
    if (env['FORCE_COLOR'] && env['FORCE_COLOR'] !== '0') return true;
    return stream.isTTY && !dumb;
  };
  // Whoever reads may stop reading (`| head`): what is under way goes on all the same.
  const unread = (error: NodeJS.ErrnoException): void => {
    if (error.code !== 'EPIPE') throw error;
  };
  stdout.on('error', unread);
  stderr.on('error', unread);
  return {
    stdout,
    stderr,
    stdin,
    env,
    interactive: stdin.isTTY === true && stderr.isTTY === true && !env['CI'],
    animated: stderr.isTTY === true && !dumb && !env['CI'],
    color: { stderr: colored(stderr), stdout: colored(stdout) },
    onInterrupt(callback) {
      process.on('SIGINT', callback);
      process.on('SIGTERM', callback);
      return () => {
        process.off('SIGINT', callback);
        process.off('SIGTERM', callback);
      };
    },
  };
}
