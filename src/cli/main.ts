import { Command, CommanderError, Option } from 'commander';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../base/package-root.ts';
import { exitCodes } from './exit-code.ts';
import { processIo, type Io } from './io.ts';
import { errorText, exitCodeFor } from './report-error.ts';
import type { GlobalOptions } from './session.ts';
import { painter } from './style.ts';

/** Runs one command line and returns the exit code. Handlers are imported when they are needed, so that --help stays fast. */
export async function main(argv: readonly string[], io: Io = processIo()): Promise<number> {
  let code: number = exitCodes.ok;
  const program = new Command('slipway')
    .description('Turns Linux hosts that answer SSH into a Kubernetes cluster, and keeps it healthy.')
    .version(version())
    .showHelpAfterError('(see slipway --help)')
    .exitOverride()
    .configureOutput({ writeOut: (text) => void io.stdout.write(text), writeErr: (text) => void io.stderr.write(text) });

  const verb = (name: string, description: string, handler: () => Promise<(options: GlobalOptions, io: Io) => Promise<number>>): Command =>
    program
      .command(name)
      .description(description)
      .option('-f, --file <file>', 'the cluster file', 'cluster.yaml')
      .addOption(new Option('-o, --output <format>', 'form of the result').choices(['text', 'json', 'yaml']).default('text'))
      .option('--events <file>', 'write what happens as JSON lines to a file, or - for standard output')
      .option('-y, --yes', 'do not ask, do it', false)
      .option('--no-input', 'never ask anything')
      .option('-v, --verbose', 'show every step', false)
      .option('--no-color', 'no colours')
      .action(async (options: GlobalOptions) => {
        code = await (await handler())(options, io);
      });

  verb('apply', 'make the hosts what the cluster file says', async () => (await import('./commands/apply.ts')).apply);

  try {
    await program.parseAsync(argv, { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    io.stderr.write(`${errorText(error, painter(io.color.stderr))}\n`);
    const logPath = typeof error === 'object' && error !== null && 'logPath' in error ? String(error.logPath) : undefined;
    if (logPath) io.stderr.write(`  log: ${logPath}\n`);
    return exitCodeFor(error);
  }
}

function version(): string {
  return (JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8')) as { version: string }).version;
}
