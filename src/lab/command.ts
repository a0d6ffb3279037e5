import { execa } from 'execa';
import { SlipwayError, messageOf } from '../base/errors.ts';

export interface CommandOptions {
  input?: string | undefined;
  cwd?: string | undefined;
  env?: Record<string, string> | undefined;
  onLine?: ((line: string) => void) | undefined;
}

export interface CommandResult {
  exitCode: number;
  stdout: string;
  stderr: string;
}

/** Runs a program of this machine; LAB_COMMAND_FAILED with its last output when it does not end with 0. */
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

/** Like `run`, but any exit code is an answer. Throws LAB_COMMAND_FAILED only when the program cannot be started. */
export async function attempt(file: string, args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  const child = execa(file, [...args], {
    reject: false,
    stripFinalNewline: true,
    // One language for whoever reads the evidence.
    env: { LC_ALL: 'C.UTF-8', ...options.env },
    ...(options.input === undefined ? { stdin: 'ignore' as const } : { input: options.input }),
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  if (options.onLine !== undefined) {
    for await (const line of child.iterable({ from: 'all' as never })) options.onLine(line);
  }
  const result = await child;
  if (result.exitCode === undefined && result.signal === undefined) {
    throw new SlipwayError(`${file} could not be started: ${messageOf(result.cause ?? result)}`, {
      code: 'LAB_COMMAND_FAILED',
      category: 'failed',
      hint: 'Check the prerequisites of the lab.',
      cause: result.cause,
    });
  }
  return { exitCode: result.exitCode ?? 255, stdout: result.stdout, stderr: result.stderr };
}

export function lastLines(text: string, count: number): string {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .slice(-count)
    .join('\n');
}
