import type { z } from 'zod';
import { type Path, pathText, type Problem } from './problem.ts';
import type { Fault } from './fields.ts';
import { didYouMean } from './suggest.ts';

type Issue = z.core.$ZodIssue;

/** What the schema knows about a path. */
export interface Lookup {
  keysAt: (path: Path) => readonly string[];
  examplesAt: (path: Path) => readonly string[];
  /** Each alternative in a few words. */
  allowedAt: (path: Path) => readonly string[];
}

/** Our words for what the schema found in the document `root`. */
export function toProblems(issues: readonly Issue[], root: unknown, lookup: Lookup): Guess[] {
  return issues.flatMap((issue) => explain(issue, { root, lookup, above: [] }));
}

/** Leaves out missing fields that are there under a misspelt key: the two are one mistake. */
export function withoutEchoes(guesses: readonly Guess[], root: unknown): Problem[] {
  const meant = new Set(guesses.flatMap(({ path, meant }) => (meant === undefined ? [] : [pathText([...path.slice(0, -1), meant])])));
  return guesses
    .filter(({ path }) => valueAt(root, path) !== undefined || !meant.has(pathText(path)))
    .map(({ meant: _, ...problem }) => problem);
}

export interface Guess extends Problem {
  /** The key that was probably meant. */
  meant?: string | undefined;
}

interface Context {
  root: unknown;
  lookup: Lookup;
  /** Path of the union that the issue is in. */
  above: Path;
}

function explain(issue: Issue, context: Context): Guess[] {
  const path = [...context.above, ...issue.path.map((part) => (typeof part === 'number' ? part : String(part)))];
  const value = valueAt(context.root, path);
  switch (issue.code) {
    case 'invalid_type':
      return [{ path, ...explainType(issue.expected, value, { path, example: context.lookup.examplesAt(path)[0] }) }];
    case 'invalid_value':
      return [{ path, ...explainChoice(issue.values.map(String), value) }];
    case 'unrecognized_keys':
      return issue.keys.map((key) => ({ path: [...path, key], atKey: true, ...explainKey(key, context.lookup.keysAt(path)) }));
    case 'invalid_union': {
      const branch = chooseBranch(issue.errors, value);
      const hint = `Allowed: ${context.lookup.allowedAt(path).join(', ')}.`;
      if (branch === undefined) return [{ path, message: `${show(value)} is not allowed here`, hint }];
      if (branch.length === 1 && branch[0]!.code === 'invalid_value' && branch[0].path.length === 0) {
        const guess = explain(branch[0], { ...context, above: path });
        return guess[0]?.hint === undefined ? [{ path, message: `${show(value)} is not allowed here`, hint }] : guess;
      }
      return branch.flatMap((inner) => explain(inner, { ...context, above: path }));
    }
    case 'invalid_key': {
      const inner = issue.issues[0];
      const key = path.at(-1);
      if (inner?.code === 'invalid_value') return [{ path, atKey: true, ...explainKey(String(key), inner.values.map(String)) }];
      const fault = faultOf(inner);
      return [{ path, atKey: true, message: `the key ${show(key)} ${fault.complaint}`, hint: suggestionHint(fault.suggestion) }];
    }
    case 'invalid_element':
      return issue.issues.flatMap((inner) => explain(inner, { ...context, above: path }));
    case 'too_small':
    case 'too_big':
      return [{ path, ...explainSize(issue, value) }];
    case 'custom': {
      const fault = faultOf(issue);
      return [{ path, message: `${fault.instead ?? show(value)} ${fault.complaint}`, hint: suggestionHint(fault.suggestion) }];
    }
    default:
      return [{ path, message: `${show(value)} is not allowed here: ${issue.message}` }];
  }
}

type Words = Pick<Problem, 'message' | 'hint'>;

const TYPE_NAMES: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  object: 'a mapping of keys and values',
  record: 'a mapping of keys and values',
  array: 'a list',
};

function explainType(expected: string, value: unknown, { path, example }: { path: Path; example: string | undefined }): Words {
  const wanted = TYPE_NAMES[expected] ?? expected;
  if (value === undefined) return { message: `is missing; it must be ${wanted}` };
  if (value === null)
    return { message: `is empty; it must be ${wanted}`, hint: 'Give it a value, or remove the line to take the default.' };
  const message = `${show(value)} is not ${wanted}`;
  if (expected === 'string' && (typeof value === 'number' || typeof value === 'boolean')) {
    return { message, hint: example === undefined ? `Put it in quotes: "${String(value)}".` : `Write it in full, such as ${example}.` };
  }
  if (expected === 'boolean' && typeof value === 'string') {
    if (/^(yes|y|on|true)$/i.test(value)) return { message, hint: 'Did you mean true?' };
    if (/^(no|n|off|false)$/i.test(value)) return { message, hint: 'Did you mean false?' };
  }
  if ((expected === 'number' || expected === 'int') && typeof value === 'string' && /^\d+$/.test(value))
    return { message, hint: `Write it without quotes: ${value}.` };
  if (expected === 'object' && typeof value === 'string' && path.length === 3 && path[1] === 'hosts') {
    return { message, hint: `Write { address: ${value} }.` };
  }
  if (expected === 'array')
    return { message, hint: typeof value === 'string' ? `Put it in brackets: [${value}].` : 'Begin each entry with a dash.' };
  return { message };
}

function explainChoice(options: readonly string[], value: unknown): Words {
  if (value === undefined) return { message: `is missing; it must be ${listed(options)}` };
  const message = `${show(value)} is not ${listed(options)}`;
  // YAML 1.1 editors and people write off for false and the other way round.
  if (typeof value === 'boolean') {
    const word = options.find((option) => (value ? ['on', 'yes'] : ['off', 'no', 'none']).includes(option));
    return { message, hint: word === undefined ? undefined : `Did you mean ${word}?` };
  }
  const guess = typeof value === 'string' ? didYouMean(value, options) : undefined;
  return { message, hint: guess === undefined ? undefined : `Did you mean ${guess}?` };
}

function explainKey(key: string, known: readonly string[]): Words & { meant?: string } {
  const guess = didYouMean(key, known);
  const message = `there is no field ${show(key)} here`;
  if (guess !== undefined) return { message, hint: `Did you mean ${guess}?`, meant: guess };
  return { message, hint: known.length === 0 ? undefined : `Fields here: ${known.join(', ')}.` };
}

function explainSize(issue: Extract<Issue, { code: 'too_small' | 'too_big' }>, value: unknown): Words {
  if (issue.origin === 'array') return { message: 'is an empty list; it needs at least one entry' };
  const limit = issue.code === 'too_small' ? `at least ${issue.minimum}` : `at most ${issue.maximum}`;
  return { message: `${show(value)} is out of range; it must be ${limit}` };
}

/** Of a union's branches the one that was meant: the only one whose complaint is not about the kind of value as a whole. */
function chooseBranch(branches: readonly (readonly Issue[])[], value: unknown): readonly Issue[] | undefined {
  const candidates = branches.filter((issues) => !issues.some((issue) => issue.path.length === 0 && issue.code === 'invalid_type'));
  if (typeof value === 'object' && value !== null) {
    const objects = candidates.filter((issues) => !issues.some((issue) => issue.path.length === 0 && issue.code === 'invalid_value'));
    const fewest = [...objects].sort((a, b) => weight(a) - weight(b))[0];
    return objects.length === 0 || (objects.length > 1 && weight(fewest!) > 1) ? undefined : fewest;
  }
  return candidates.length === 1 ? candidates[0] : undefined;
}

/** How many mistakes a branch sees; a misspelt key and the missing field that it stands for are one. */
function weight(issues: readonly Issue[]): number {
  const missing = issues.flatMap((issue) => (issue.code === 'unrecognized_keys' ? [] : [String(issue.path.at(-1))]));
  const unknown = issues.flatMap((issue) => (issue.code === 'unrecognized_keys' ? issue.keys : []));
  return missing.length + unknown.filter((key) => didYouMean(key, missing) === undefined).length;
}

function faultOf(issue: Issue | undefined): Fault {
  const params = issue?.code === 'custom' ? issue.params : undefined;
  return {
    suggestion: params?.['suggestion'] as string | undefined,
    instead: params?.['instead'] as string | undefined,
    complaint: issue?.message ?? 'is not allowed',
  };
}

function suggestionHint(suggestion: string | undefined): string | undefined {
  if (suggestion === undefined) return undefined;
  return suggestion.startsWith('such as ') ? `For instance ${suggestion.slice('such as '.length)}.` : `Write ${suggestion}.`;
}

function listed(options: readonly string[]): string {
  return options.length === 1 ? options[0]! : `one of ${options.join(', ')}`;
}

/** The value as a person would recognise it, cut to one short line. */
export function show(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'a mapping';
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return text.length <= 80 ? text : `${text.slice(0, 77)}...`;
}

export function valueAt(root: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (value, part) =>
      typeof value === 'object' && value !== null && Object.hasOwn(value, part) ? (value as Record<string, unknown>)[part] : undefined,
    root,
  );
}
