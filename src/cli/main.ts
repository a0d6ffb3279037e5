import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command, CommanderError, Option } from 'commander';
import { packageRoot } from '../base/package-root.ts';
import { clusterOptions, type CommandSpec, type OptionSpec } from './command.ts';
import { commands } from './commands/index.ts';
import { exitCodes } from './exit-code.ts';
import { processIo, type Io } from './io.ts';
import { errorText, exitCodeFor } from './report-error.ts';
import { painter } from './style.ts';

/** Runs one command line and returns the exit code. */
export async function main(argv: readonly string[], io: Io = processIo()): Promise<number> {
  if (argv.includes('--no-color')) io = { ...io, color: { stderr: false, stdout: false } };
  let code: number = exitCodes.ok;
  const program = new Command('slipway')
    .description('Turns Linux hosts that answer SSH into a Kubernetes cluster, and keeps it healthy.')
    .version(version())
    .showHelpAfterError('(slipway --help lists the commands)')
    .exitOverride()
    .configureOutput({ writeOut: (text) => void io.stdout.write(text), writeErr: (text) => void io.stderr.write(text) });
  for (const spec of commands) {
    const command = addCommand(program, spec);
    command.action(async (...given: unknown[]) => {
      const args = given
        .slice(0, -2)
        .flat()
        .filter((arg): arg is string => typeof arg === 'string');
      code = await (await spec.load())({ args, options: command.opts() }, io);
    });
  }
  if (argv.length === 0) {
    io.stdout.write(program.helpInformation());
    return exitCodes.ok;
  }
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

function addCommand(program: Command, spec: CommandSpec): Command {
  const words = spec.name.split(' ');
  const last = words.pop()!;
  const parent = words.reduce(
    (above, word) => above.commands.find((known) => known.name() === word) ?? above.command(word).description(groups[word] ?? ''),
    program,
  );
  const command = parent.command(`${last}${spec.arguments ? ` ${spec.arguments}` : ''}`).description(spec.summary);
  for (const option of [...(spec.options ?? []), ...(spec.cluster ? clusterOptions : [])]) command.addOption(toOption(option));
  if (spec.examples) command.addHelpText('before', `Examples:\n${spec.examples.map((example) => `  ${example}`).join('\n')}\n`);
  return command;
}

const groups: Readonly<Record<string, string>> = {
  artifacts: 'binaries and images: what is needed, what is here',
  bundle: 'everything in one file, for hosts without a way out',
  lab: 'real hosts on this machine, to try things on',
};

function toOption(spec: OptionSpec): Option {
  const option = new Option(spec.flags, spec.description);
  if (spec.choices) option.choices(spec.choices);
  if (spec.default !== undefined) option.default(spec.default);
  if (spec.many) option.argParser((value: string, before: readonly string[] | undefined) => [...(before ?? []), value]);
  return option;
}

function version(): string {
  return (JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8')) as { version: string }).version;
}
