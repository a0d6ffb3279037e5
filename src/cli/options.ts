import type { Architecture } from '../artifacts/types.ts';
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
  /** As written; empty: all hosts. See limitTo. */
  limit: readonly string[];
  /** Hosts that cannot be reached are left out. */
  skipUnreachable: boolean;
  /** See Context.outageAccepted. */
  acceptOutage: boolean;
}

/** A flag's value as a whole number above zero. Throws OPTION_INVALID (usage). */
export function wholeNumber(value: unknown, flag: string): number {
  const number = Number(value);
  if (Number.isInteger(number) && number > 0) return number;
  throw new SlipwayError(`${flag} wants a whole number above zero, not ${String(value)}`, {
    code: 'OPTION_INVALID',
    category: 'usage',
    hint: `for instance ${flag} 3`,
  });
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
    limit: (given['limit'] as string[] | undefined) ?? [],
    skipUnreachable: given['skipUnreachable'] === true,
    acceptOutage: given['acceptOutage'] === true,
  };
  if (options.events === '-' && options.output !== 'text') {
    throw new SlipwayError(`--events - and -o ${options.output} both want standard output`, {
      code: 'OUTPUT_CONFLICT',
      category: 'usage',
      hint: 'write the events to a file: --events FILE',
    });
  }
  return options;
}

/** The value of --cluster-id: 32 hex digits, as errors print it. Throws OPTION_INVALID (usage). */
export function clusterIdOption(given: Readonly<Record<string, unknown>>): string | undefined {
  const id = given['clusterId'] as string | undefined;
  if (id === undefined || /^[0-9a-f]{32}$/.test(id)) return id;
  throw new SlipwayError(`--cluster-id wants the id of a cluster, not ${id}`, {
    code: 'OPTION_INVALID',
    category: 'usage',
    hint: '32 hexadecimal digits: the error that refuses the hosts shows them',
  });
}

/** Values of --arch; undefined when there are none. Throws OPTION_INVALID (usage). */
export function architectures(given: unknown): readonly Architecture[] | undefined {
  const words = ((given as string[] | undefined) ?? []).flatMap((text) => text.split(','));
  const unknown = words.find((word) => word !== 'amd64' && word !== 'arm64');
  if (unknown !== undefined) {
    throw new SlipwayError(`--arch wants amd64 or arm64, not ${unknown}`, {
      code: 'OPTION_INVALID',
      category: 'usage',
      hint: 'for instance --arch amd64,arm64',
    });
  }
  return words.length === 0 ? undefined : [...new Set(words as Architecture[])];
}
