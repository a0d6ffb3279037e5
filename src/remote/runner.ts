import type { Readable, Writable } from 'node:stream';

export interface RunOptions {
  /** What the script reads on its standard input: never part of any command line. Default: empty. */
  stdin?: Buffer | string | Readable | undefined;
  /** Milliseconds until the script is given up with REMOTE_TIMEOUT. Default: 60_000 where `silentMs` is not given, else none. */
  timeoutMs?: number | undefined;
  /** Milliseconds without a byte in either direction until the script is given up with REMOTE_TIMEOUT: what is slow is not stuck. Default: none. */
  silentMs?: number | undefined;
  signal?: AbortSignal | undefined;
  /** Where standard output goes instead of into the result, byte for byte; it is not ended. For what is too large for memory. */
  stdout?: Writable | undefined;
  /** Called with every complete line of standard output, without its line end, as it arrives. */
  onLine?: ((line: string) => void) | undefined;
  /** Run as the login user instead of root. Default false. */
  asLoginUser?: boolean | undefined;
}

export interface RunResult {
  /** Exit code; a script ended by a signal counts as 128 + signal number. */
  code: number;
  stdout: string;
  stderr: string;
}

/** A script that stays open for a conversation, e.g. the holder of a lock. */
export interface Session {
  /** Sends one line to the script's standard input. */
  writeLine(line: string): void;
  /** Closes its standard input. */
  end(): void;
  /** Resolves when the script ends; rejects (REMOTE_CONNECTION_LOST) when the connection goes first. Never unhandled. */
  readonly done: Promise<RunResult>;
}

/** What went over a connection since login; the bench prints it. */
export interface RunnerStats {
  roundTrips: number;
  bytesSent: number;
  bytesReceived: number;
}

/**
 * The one way to do anything on a host. A script is POSIX sh text, run by /bin/sh as root (directly or through sudo) with a clean
 * environment, LC_ALL=C and a fixed PATH. Script text travels on standard input, not on a command line, and is run only when it
 * arrived whole; so it may carry secrets, and a cut connection never runs half of it.
 *
 * `run` resolves whatever the exit code is. It rejects with a SlipwayError: REMOTE_CONNECTION_LOST (unreachable; the outcome is
 * unknown: gather facts again), REMOTE_TIMEOUT (failed), ABORTED (aborted), and rarely REMOTE_INPUT_FAILED, REMOTE_OUTPUT_FAILED (the
 * stream on this side), REMOTE_OUTPUT_LOST (its end did not arrive), REMOTE_SESSION_REFUSED, SUDO_* (sudo refuses meanwhile).
 */
export interface Runner {
  /** The name used in messages. */
  readonly host: string;
  readonly stats: RunnerStats;
  run(script: string, options?: RunOptions): Promise<RunResult>;
  /** `onLine` lines are delivered while it runs. */
  open(script: string, options?: Pick<RunOptions, 'onLine'>): Session;
  close(): Promise<void>;
}
