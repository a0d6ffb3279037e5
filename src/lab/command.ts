import { execa } from 'execa';
import { SlipwayError, messageOf } from '../base/errors.ts';

export interface CommandOptions {
  input?: string | undefined;
  env?: Record<string, string> | undefined;
  onLine?: ((line: string) => void) | undefined;
  /** Kill the program when this process dies, even by SIGKILL: for whatever writes where `down` removes. */
  bound?: boolean | undefined;
}

export interface CommandResult {
  exitCode: number;
  stdout: string;
  stderr: string;
}

/** The kernel says nothing to whoever asked for word of a parent's death after it; so look, once it would. */
const orphanCheck = '[ "$PPID" = "$0" ] || exit 137; exec "$@"';

/** Runs a program of this machine and returns its standard output; LAB_COMMAND_FAILED with its last lines when it does not end with 0. */
export async function run(file: string, args: readonly string[], options: CommandOptions = {}): Promise<string> {
  const result = await attempt(file, args, options);
  if (result.exitCode === 0) return result.stdout;
  throw new SlipwayError(`${file} ${args.join(' ')} ended with ${String(result.exitCode)}`, {
    code: 'LAB_COMMAND_FAILED',
    category: 'failed',
    evidence: lastLines(`${result.stdout}\n${result.stderr}`, 20),
    hint: 'If the lab is half made, `slipway lab down` removes what is there.',
  });
}

/** Like `run`, but any exit code is an answer (128 + signal for a killed program). LAB_COMMAND_FAILED only when the program cannot be started. */
export async function attempt(file: string, args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  const [program, words] =
    options.bound === true
      ? ['setpriv', ['--pdeathsig', 'KILL', 'sh', '-c', orphanCheck, String(process.pid), file, ...args]]
      : [file, [...args]];
  const child = execa(program, words, {
    reject: false,
    // One language for whoever reads the evidence; sbin, because sudo and cron may leave it out.
    env: { LC_ALL: 'C.UTF-8', PATH: searchPath(), ...options.env },
    ...(options.input === undefined ? { stdin: 'ignore' as const } : { input: options.input }),
  });
  const { onLine } = options;
  const follow = async (from: 'stdout' | 'stderr'): Promise<void> => {
    if (onLine === undefined) return;
    for await (const line of child.iterable({ from })) onLine(line);
  };
  const [result] = await Promise.all([child, follow('stdout'), follow('stderr')]);
  if (result.exitCode === undefined && result.signal === undefined) {
    throw new SlipwayError(`${file} could not be started: ${messageOf(result.cause ?? result)}`, {
      code: 'LAB_COMMAND_FAILED',
      category: 'failed',
      hint: 'Check the prerequisites of the lab.',
      cause: result.cause,
    });
  }
  return { exitCode: result.exitCode ?? 137, stdout: result.stdout, stderr: result.stderr };
}

export function searchPath(): string {
  return [process.env['PATH'] ?? '/usr/bin:/bin', '/usr/sbin', '/sbin'].join(':');
}

export function lastLines(text: string, count: number): string {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .slice(-count)
    .join('\n');
}
