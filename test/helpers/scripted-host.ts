import { connectionLost } from '../../src/remote/errors.ts';
import type { Runner, RunOptions, RunResult, Session } from '../../src/remote/runner.ts';

/** What a script is answered with: the whole result, or standard output alone (exit code 0), or what a function makes of it. */
export type Reply = string | Partial<RunResult> | Error | ((script: string, stdin: Buffer) => string | Partial<RunResult> | Error);

export interface ScriptedCall {
  script: string;
  stdin: Buffer;
  asLoginUser: boolean;
}

export interface ScriptedHost extends Runner {
  /** What was run, in order. */
  readonly calls: readonly ScriptedCall[];
  /** Answers scripts that match: a string must be contained in the script. Rules are tried in order, later `on` calls last. */
  on(match: RegExp | string, reply: Reply): ScriptedHost;
  /** The next script finds the connection gone, and so do all after it. */
  loseConnection(): void;
}

/** A Runner without a host. A script that no rule matches fails the test: the double never invents an answer. */
export function scriptedHost(host = 'host-1'): ScriptedHost {
  const rules: { match: RegExp | string; reply: Reply }[] = [];
  const calls: ScriptedCall[] = [];
  const stats = { roundTrips: 0, bytesSent: 0, bytesReceived: 0 };
  let lost = false;

  const answer = (script: string, stdin: Buffer, options: Pick<RunOptions, 'onLine' | 'asLoginUser'>): RunResult => {
    if (lost) throw connectionLost(host);
    calls.push({ script, stdin, asLoginUser: options.asLoginUser === true });
    stats.roundTrips++;
    const rule = rules.find(({ match }) => (typeof match === 'string' ? script.includes(match) : match.test(script)));
    if (rule === undefined) throw new Error(`no rule of the scripted host ${host} matches this script:\n${script}`);
    const reply = typeof rule.reply === 'function' ? rule.reply(script, stdin) : rule.reply;
    if (reply instanceof Error) throw reply;
    const result = { code: 0, stdout: '', stderr: '', ...(typeof reply === 'string' ? { stdout: reply } : reply) };
    const lines = result.stdout.split('\n');
    if (lines.at(-1) === '') lines.pop();
    for (const line of lines) options.onLine?.(line);
    return result;
  };

  const scripted: ScriptedHost = {
    host,
    stats,
    calls,
    on(match, reply) {
      rules.push({ match, reply });
      return scripted;
    },
    loseConnection: () => (lost = true),
    run: async (script, options = {}) => answer(script, await collect(options.stdin), options),
    open(script, options = {}): Session {
      let end!: () => void;
      const ended = new Promise<void>((resolve) => (end = resolve));
      const lines: string[] = [];
      const done = Promise.resolve().then(async () => {
        const result = answer(script, Buffer.alloc(0), options);
        // A script that fails ends by itself; one that works goes on until its input ends.
        if (result.code === 0) await ended;
        calls.find((call) => call.script === script)!.stdin = Buffer.from(lines.join(''));
        return result;
      });
      done.catch(() => {});
      return { writeLine: (line) => void lines.push(`${line}\n`), end, done };
    },
    close: async () => {},
  };
  return scripted;
}

async function collect(stdin: RunOptions['stdin']): Promise<Buffer> {
  if (stdin === undefined) return Buffer.alloc(0);
  if (typeof stdin === 'string' || Buffer.isBuffer(stdin)) return Buffer.from(stdin);
  const chunks: Buffer[] = [];
  for await (const chunk of stdin) chunks.push(Buffer.from(chunk as Buffer | string));
  return Buffer.concat(chunks);
}
