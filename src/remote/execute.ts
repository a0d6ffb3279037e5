import { constants } from 'node:os';
import { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { connectionLost } from './errors.ts';
import type { RunnerStats, RunResult } from './runner.ts';
import { markedOutput, scriptInput, type Started } from './script.ts';
import type { Channel } from './transport.ts';

export interface ExecuteOptions {
  host: string;
  marker: string;
  /** For sudo: the first line of the input. */
  password?: string | undefined;
  stdin?: Buffer | string | Readable | undefined;
  onLine?: ((line: string) => void) | undefined;
  stats: RunnerStats;
}

export type Outcome =
  | { kind: 'done'; result: RunResult }
  /** The preamble never reached the script: sudo, the login shell or the host refused. Nothing was run. */
  | { kind: 'refused'; code: number; text: string };

/** One script on its way: what there is to await, and what is needed to end it. */
export interface Execution {
  readonly outcome: Promise<Outcome>;
  /** Rejects when the payload cannot be read on this side: the script must be ended, or it takes half of it for all. Never resolves. */
  readonly inputFailed: Promise<never>;
  started(): Started | undefined;
  /** Gives the channel up without waiting for the other side. */
  abandon(): void;
}

/** Sends a script over a fresh channel; `undefined` for a command that takes none. `outcome` rejects with REMOTE_CONNECTION_LOST only. */
export function execute(channel: Channel, script: string | undefined, options: ExecuteOptions): Execution {
  const { host, marker, stats } = options;
  let started: Started | undefined;
  let running = false;
  const ready = signal();
  const begun = signal();
  const closed = signal();
  const refused = signal();
  void closed.fired.then(refused.fire);

  const lines = lineSplitter(options.onLine);
  const output = { stdout: textCollector(), stderr: textCollector() };
  const stdout = markedOutput(marker, 2, {
    onMarker: (rest) => {
      if (started === undefined) {
        const [pid, group] = rest.split(' ').map(Number);
        started = { pid: pid ?? 0, group: group ?? 0 };
        ready.fire();
      } else {
        running = true;
        begun.fire();
      }
    },
    onData: (chunk) => lines.push(output.stdout.push(chunk)),
  });
  const stderr = markedOutput(marker, 1, { onMarker: () => {}, onData: (chunk) => void output.stderr.push(chunk) });
  const count = (push: (chunk: Buffer) => void) => (chunk: Buffer) => {
    stats.bytesReceived += chunk.length;
    push(chunk);
  };
  channel.on('data', count(stdout.push));
  channel.stderr.on(
    'data',
    count((chunk) => {
      stderr.push(chunk);
      // sudo asks again: the end of its input makes it give up.
      if (options.password !== undefined && started === undefined && /try again/i.test(stderr.noise())) refused.fire();
    }),
  );
  // A script may end without reading all of its input: writing on is then no error.
  channel.on('error', () => {});
  channel.stderr.on('error', () => {});

  const outcome = new Promise<Outcome>((resolve, reject) => {
    let exit: { code: number | null; signal: string | undefined } | undefined;
    channel.on('exit', (code: number | null, name?: string) => {
      exit = { code, signal: name };
      // A background process may hold the streams open for ever; what the script itself wrote has been sent by then.
      lingering = setTimeout(() => channel.close(), 2_000);
    });
    let lingering: NodeJS.Timeout | undefined;
    channel.on('close', () => {
      clearTimeout(lingering);
      closed.fire();
      if (exit === undefined) return reject(connectionLost(host));
      const code = exit.code ?? 128 + signalNumber(exit.signal);
      if (!running) return resolve({ kind: 'refused', code, text: `${stdout.noise()}${stderr.noise()}${output.stderr.end()}`.trim() });
      lines.push(output.stdout.flush());
      lines.end();
      resolve({ kind: 'done', result: { code, stdout: output.stdout.end(), stderr: output.stderr.end() } });
    });
  });
  outcome.catch(() => {});

  const input = Readable.from(inputChunks(), { objectMode: false, highWaterMark: 1 << 20 });
  async function* inputChunks(): AsyncGenerator<Buffer> {
    if (options.password !== undefined) {
      yield Buffer.from(`${options.password}\n`);
      // What follows is not for sudo: if it refuses the password it would take the next lines for further attempts.
      if (script === undefined || !(await firstOf(ready, refused))) return;
    }
    if (script === undefined) return;
    yield scriptInput(script, marker);
    if (options.stdin === undefined) return;
    // The tool that reads the script may read ahead; the payload must not be there yet.
    if (!(await firstOf(begun, closed))) return;
    const source =
      typeof options.stdin === 'string' ? [Buffer.from(options.stdin)] : Buffer.isBuffer(options.stdin) ? [options.stdin] : options.stdin;
    for await (const chunk of source) yield Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk as string);
  }
  input.on('data', (chunk: Buffer) => (stats.bytesSent += chunk.length));
  const inputFailed = new Promise<never>((_, reject) => void input.on('error', reject));
  inputFailed.catch(() => {});
  input.pipe(channel);
  void closed.fired.then(() => {
    input.destroy();
    if (options.stdin instanceof Readable) options.stdin.destroy();
  });

  return { outcome, inputFailed, started: () => started, abandon: () => channel.close() };
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
  /** Gives back the text of the chunk, characters kept whole. */
  push(chunk: Buffer): string;
  flush(): string;
  end(): string;
}

function textCollector(): TextCollector {
  const decoder = new StringDecoder('utf8');
  const parts: string[] = [];
  const keep = (text: string): string => {
    parts.push(text);
    return text;
  };
  return { push: (chunk) => keep(decoder.write(chunk)), flush: () => keep(decoder.end()), end: () => parts.join('') + decoder.end() };
}

function lineSplitter(onLine: ((line: string) => void) | undefined): { push(text: string): void; end(): void } {
  let rest = '';
  return {
    push(text) {
      if (onLine === undefined) return;
      const lines = (rest + text).split('\n');
      rest = lines.pop()!;
      for (const line of lines) onLine(line);
    },
    end() {
      if (rest !== '') onLine?.(rest);
      rest = '';
    },
  };
}
