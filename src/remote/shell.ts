import { constants } from 'node:os';
import { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { messageOf } from '../base/errors.ts';
import { connectionLost, remoteError } from './errors.ts';
import type { RunnerStats, RunOptions, RunResult } from './runner.ts';
import { markedOutput, outputEnd, scriptInput, type OutputEnd, type Started } from './script.ts';
import type { Channel } from './transport.ts';

export interface ShellOptions {
  host: string;
  marker: string;
  /** For sudo: the first line of the input. */
  password?: string | undefined;
  stats: RunnerStats;
}

export type Outcome =
  | { kind: 'done'; result: RunResult }
  /** The shell ended before it came to the script: sudo, the login shell or the host refused. Nothing was run. */
  | { kind: 'refused'; code: number; text: string }
  /** The script ended with this code, but the end of its output is missing. */
  | { kind: 'cut'; code: number };

/** A shell on the other side that waits for its one script. */
export interface RemoteShell {
  /** Whether the shell has come up: false when it ended first (see `outcome` for why). */
  readonly ready: Promise<boolean>;
  /** Sends the script; at most once. It can be called before the shell is ready. */
  send(script: string, options: Pick<RunOptions, 'stdin' | 'stdout' | 'onLine'>): void;
  /** Ends the input without a script: the shell ends. */
  sendNothing(): void;
  /** Rejects with REMOTE_CONNECTION_LOST only. Never unhandled. */
  readonly outcome: Promise<Outcome>;
  /**
   * Rejects when the payload cannot be read on this side, or its output cannot be used: the script must be ended, or it takes half of the
   * payload for all. Never resolves, never unhandled.
   */
  readonly failedHere: Promise<never>;
  started(): Started | undefined;
  /** When a byte went or came last, on the clock of performance.now(). */
  lastActive(): number;
  /** Gives the channel up without waiting for the other side. */
  abandon(): void;
}

/** How long to wait for more output after the exit status; standard error may come a little after the end of standard output. */
const lingerMs = { complete: 200, incomplete: 2_000 };

/** Attaches to a channel on which a command of script.ts runs. */
export function remoteShell(channel: Channel, { host, marker, password, stats }: ShellOptions): RemoteShell {
  let started: Started | undefined;
  let active = performance.now();
  let running = false;
  let empty = false;
  let job: { script: string; stdin: RunOptions['stdin'] } | undefined;
  let useOutput = (_chunk: Buffer): void => {};
  let endOutput = (): void => {};
  let failHere!: (error: unknown) => void;
  const failedHere = new Promise<never>((_, reject) => (failHere = reject));
  failedHere.catch(() => {});
  const [ready, begun, closed, refused, jobGiven] = [signal(), signal(), signal(), signal(), signal()];
  void closed.fired.then(refused.fire);

  let end: OutputEnd | undefined;
  /** What a caller's function throws must not reach ssh2, where it would end the connection. */
  const guarded = (work: () => void): void => {
    try {
      work();
    } catch (error) {
      failHere(error);
    }
  };
  const text = { stdout: textCollector(), stderr: textCollector() };
  const stdout = markedOutput(marker, 2, {
    onMarker: (rest) => {
      if (started !== undefined) {
        running = true;
        return begun.fire();
      }
      const [pid, group] = rest.split(' ').map(Number);
      started = { pid: pid ?? 0, group: group ?? 0 };
      end = outputEnd(marker, started.pid);
      ready.fire();
    },
    onData: (chunk) => guarded(() => useOutput(end!.push(chunk))),
  });
  const stderr = markedOutput(marker, 1, { onMarker: () => {}, onData: (chunk) => void text.stderr.push(chunk) });
  const received = (chunk: Buffer): void => {
    active = performance.now();
    stats.bytesReceived += chunk.length;
  };
  channel.on('data', (chunk: Buffer) => {
    received(chunk);
    stdout.push(chunk);
    linger();
  });
  channel.stderr.on('data', (chunk: Buffer) => {
    received(chunk);
    stderr.push(chunk);
    // sudo asks for the password again: the end of its input makes it give up.
    if (password !== undefined && started === undefined && /try again/i.test(stderr.noise())) refused.fire();
  });
  // A script may end without reading all of its input: writing on is then no error.
  channel.on('error', () => {});
  channel.stderr.on('error', () => {});

  let exit: { code: number | null; signal: string | undefined } | undefined;
  let lingering: NodeJS.Timeout | undefined;
  /** A background process may hold the streams open for ever: once the script has ended, they are closed when nothing more comes. */
  const linger = (): void => {
    clearTimeout(lingering);
    if (exit === undefined) return;
    lingering = setTimeout(
      () => (channel.isPaused() ? linger() : channel.close()),
      end?.seen() === true ? lingerMs.complete : lingerMs.incomplete,
    );
  };
  channel.on('exit', (code: number | null, name?: string) => {
    exit = { code, signal: name };
    linger();
  });

  const outcome = new Promise<Outcome>((resolve, reject) => {
    channel.on('close', () => {
      clearTimeout(lingering);
      closed.fire();
      // Without an exit status nobody knows what became of the command: never a success.
      if (exit === undefined) return reject(connectionLost(host));
      const code = exit.code ?? 128 + signalNumber(exit.signal);
      if (!running) return resolve({ kind: 'refused', code, text: `${stdout.noise()}${stderr.noise()}${text.stderr.end()}`.trim() });
      // A shell that was killed could not say that it is done.
      if (end?.seen() !== true && code < 128) return resolve({ kind: 'cut', code });
      guarded(endOutput);
      resolve({ kind: 'done', result: { code, stdout: text.stdout.end(), stderr: text.stderr.end() } });
    });
  });
  outcome.catch(() => {});

  async function* inputChunks(): AsyncGenerator<Buffer> {
    if (password !== undefined) {
      yield Buffer.from(`${password}\n`);
      // What follows is not for sudo: if it refuses the password it would take the next lines for further attempts.
      if (empty || !(await firstOf(ready, refused))) return;
    }
    if (!(await firstOf(jobGiven, refused)) || job === undefined) return;
    yield scriptInput(job.script, marker);
    if (job.stdin === undefined) return;
    // The tool that reads the script may read ahead (busybox does): the payload must not be there yet.
    if (!(await firstOf(begun, closed))) return;
    for await (const chunk of chunksOf(job.stdin)) yield Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk);
  }
  const input = Readable.from(inputChunks(), { objectMode: false, highWaterMark: 1 << 20 });
  input.on('error', (error) =>
    failHere(
      remoteError(host, 'REMOTE_INPUT_FAILED', {
        message: `what was to be sent to ${host} could not be read: ${messageOf(error)}`,
        category: 'failed',
        cause: error,
      }),
    ),
  );
  input.on('data', (chunk: Buffer) => {
    active = performance.now();
    stats.bytesSent += chunk.length;
  });
  input.pipe(channel);
  void closed.fired.then(() => {
    input.destroy();
    if (job?.stdin instanceof Readable) job.stdin.destroy();
  });

  return {
    ready: firstOf(ready, closed),
    send(script, { stdin, stdout: sink, onLine }) {
      job = { script, stdin };
      active = performance.now();
      const lines = lineSplitter(onLine);
      if (sink === undefined) {
        useOutput = (chunk) => lines.push(text.stdout.push(chunk));
        endOutput = () => {
          lines.push(text.stdout.flush());
          lines.end();
        };
      } else {
        sink.once('error', (error) =>
          failHere(
            remoteError(host, 'REMOTE_OUTPUT_FAILED', {
              message: `what ${host} sent could not be written: ${messageOf(error)}`,
              category: 'failed',
              cause: error,
            }),
          ),
        );
        sink.on('drain', () => channel.resume());
        useOutput = (chunk) => void (sink.write(chunk) || sink.destroyed || channel.pause());
      }
      jobGiven.fire();
    },
    sendNothing: () => {
      empty = true;
      jobGiven.fire();
    },
    outcome,
    failedHere,
    started: () => started,
    lastActive: () => active,
    abandon() {
      // What is not read any more would keep the channel from being closed.
      useOutput = endOutput = () => {};
      channel.resume();
      channel.close();
    },
  };
}

function chunksOf(stdin: NonNullable<RunOptions['stdin']>): Iterable<Buffer | string> | AsyncIterable<Buffer | string> {
  return typeof stdin === 'string' || Buffer.isBuffer(stdin) ? [stdin] : stdin;
}

interface Signal {
  readonly fired: Promise<void>;
  fire(): void;
}

function signal(): Signal {
  let fire!: () => void;
  const fired = new Promise<void>((resolve) => (fire = resolve));
  return { fired, fire: () => fire() };
}

/** Whether the first signal came before the second. */
function firstOf(first: Signal, second: Signal): Promise<boolean> {
  return Promise.race([first.fired.then(() => true), second.fired.then(() => false)]);
}

function signalNumber(name: string | undefined): number {
  return (constants.signals as Record<string, number | undefined>)[name ?? ''] ?? 0;
}

interface TextCollector {
  /** Gives back the text of the chunk, characters kept whole over chunk boundaries. */
  push(chunk: Buffer): string;
  flush(): string;
  end(): string;
}

function textCollector(): TextCollector {
  const decoder = new StringDecoder('utf8');
  const parts: string[] = [];
  const keep = (part: string): string => {
    parts.push(part);
    return part;
  };
  return { push: (chunk) => keep(decoder.write(chunk)), flush: () => keep(decoder.end()), end: () => parts.join('') + decoder.end() };
}

function lineSplitter(onLine: ((line: string) => void) | undefined): { push(part: string): void; end(): void } {
  let rest = '';
  return {
    push(part) {
      if (onLine === undefined) return;
      const lines = (rest + part).split('\n');
      rest = lines.pop()!;
      for (const line of lines) onLine(line);
    },
    end() {
      if (rest !== '') onLine?.(rest);
      rest = '';
    },
  };
}
