import type { Io } from './io.ts';

/** A command as a value: help, completion and documentation are made from it. */
export interface CommandSpec {
  /** With sub-commands separated by a blank: `lab up`. */
  name: string;
  /** Positional arguments as commander writes them: `[file]`, `<host...>`. */
  arguments?: string;
  summary: string;
  /** Works on a cluster file: gets the options that all such commands share. */
  cluster?: boolean;
  options?: readonly OptionSpec[];
  examples?: readonly string[];
  /** Imports the handler when it is needed, so that --help stays fast. */
  load(): Promise<Handler>;
}

export interface OptionSpec {
  /** As commander writes them: `--hosts <count>`. */
  flags: string;
  description: string;
  default?: string | boolean;
  choices?: readonly string[];
  /** May be given several times. */
  many?: boolean;
}

/** Returns the exit code. `options` holds what the command line gave, by camel-case name. */
export type Handler = (call: { args: readonly string[]; options: Record<string, unknown> }, io: Io) => Promise<number>;

/** The options of every command that works on a cluster file. */
export const clusterOptions: readonly OptionSpec[] = [
  { flags: '-f, --file <file>', description: 'the cluster file', default: 'cluster.yaml' },
  { flags: '-o, --output <format>', description: 'form of the result', choices: ['text', 'json', 'yaml'], default: 'text' },
  { flags: '--events <file>', description: 'write what happens as JSON lines to a file, or to standard output with -' },
  { flags: '-y, --yes', description: 'do not ask, do it', default: false },
  { flags: '--no-input', description: 'never ask anything: fail instead' },
  { flags: '--skip-check <id>', description: 'leave a preflight check out', many: true },
  { flags: '--skip-phase <id>', description: 'leave a phase out', many: true },
  { flags: '-v, --verbose', description: 'show every step', default: false },
  { flags: '--no-color', description: 'no colours' },
];
