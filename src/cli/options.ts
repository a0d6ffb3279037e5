import { SlipwayError } from '../base/errors.ts';

/** The shared options of cluster commands, as typed values. */
export interface GlobalOptions {
  file: string;
  output: 'text' | 'json' | 'yaml';
  events: string | undefined;
  yes: boolean;
  /** False with --no-input. */
  input: boolean;
  verbose: boolean;
  skipCheck: readonly string[];
  skipPhase: readonly string[];
}

/** Throws OUTPUT_CONFLICT when two documents would share standard output. */
export function globalOptions(given: Readonly<Record<string, unknown>>): GlobalOptions {
  const options: GlobalOptions = {
    file: String(given['file']),
    output: given['output'] as GlobalOptions['output'],
    events: given['events'] as string | undefined,
    yes: given['yes'] === true,
    input: given['input'] !== false,
    verbose: given['verbose'] === true,
    skipCheck: (given['skipCheck'] as string[] | undefined) ?? [],
    skipPhase: (given['skipPhase'] as string[] | undefined) ?? [],
  };
  if (options.events === '-' && options.output !== 'text') {
    throw new SlipwayError(`--events - and -o ${options.output} both want standard output`, { code: 'OUTPUT_CONFLICT', category: 'usage', hint: 'write the events to a file: --events FILE' });
  }
  return options;
}
