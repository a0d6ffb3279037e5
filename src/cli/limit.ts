import { SlipwayError } from '../base/errors.ts';
import type { Cluster } from '../config/cluster.ts';
import { didYouMean } from '../config/suggest.ts';

/**
 * The hosts that --limit names, in the order of the file; with ! before them, all but these. Undefined without a limit. Throws HOST_UNKNOWN (usage)
 * for all names at once that are not there, LIMIT_EMPTY (usage) when no host is left.
 */
export function limitTo(cluster: Pick<Cluster, 'hosts'>, given: readonly string[]): readonly string[] | undefined {
  if (given.length === 0) return undefined;
  const what = '--limit: ';
  const words = split(given);
  const isExcluding = (word: string): boolean => word.startsWith('!');
  const named = hostsNamed(
    cluster,
    words.map((word) => (isExcluding(word) ? word.slice(1).trim() : word)),
    what,
  );
  const [excluded, included] = [true, false].map((excluding) => named.filter((_, i) => isExcluding(words[i]!) === excluding));
  const names = cluster.hosts.map(({ name }) => name);
  const left = names.filter((name) => (included!.length === 0 || included!.includes(name)) && !excluded!.includes(name));
  if (left.length > 0) return left;
  throw new SlipwayError(`${what}no host is left`, { code: 'LIMIT_EMPTY', category: 'usage', hint: `hosts: ${names.join(', ')}` });
}

/** Hosts that a verb is told, in the order of the file. Throws HOST_UNKNOWN (usage). */
export function hostsTold(cluster: Pick<Cluster, 'hosts'>, given: readonly string[]): string[] {
  const named = hostsNamed(cluster, split(given), '');
  return cluster.hosts.flatMap(({ name }) => (named.includes(name) ? [name] : []));
}

const split = (given: readonly string[]): string[] => given.flatMap((text) => text.split(',')).map((word) => word.trim());

/** For each word, the host as the cluster file calls it: by name, or by address where it gives no name. `what` begins the error. */
function hostsNamed({ hosts }: Pick<Cluster, 'hosts'>, words: readonly string[], what: string): string[] {
  const names = hosts.map(({ name }) => name);
  const found = words.map((word) => hosts.find(({ name, address }) => name === word || address === word)?.name);
  const unknown = words.filter((_, i) => found[i] === undefined);
  if (unknown.length === 0) return found as string[];
  const guesses = unknown.flatMap((word) => didYouMean(word, names) ?? []);
  throw new SlipwayError(`${what}there is no host ${unknown.map((word) => word || '(an empty name)').join(', ')} in the cluster file`, {
    code: 'HOST_UNKNOWN',
    category: 'usage',
    hint: guesses.length === unknown.length ? `did you mean ${guesses.join(',')}?` : `hosts: ${names.join(', ')}`,
  });
}
