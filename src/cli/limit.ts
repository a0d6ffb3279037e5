import { SlipwayError } from '../base/errors.ts';
import type { Cluster } from '../config/cluster.ts';
import { didYouMean } from '../config/suggest.ts';

/**
 * The hosts that --limit names, as the cluster file calls them: by name, or by address where it gives no name. Undefined without a limit.
 * Throws HOST_UNKNOWN (usage) for all names at once that are not there.
 */
export function limitTo({ hosts }: Pick<Cluster, 'hosts'>, given: readonly string[], what = '--limit: '): readonly string[] | undefined {
  if (given.length === 0) return undefined;
  const words = given.flatMap((text) => text.split(',')).map((word) => word.trim());
  const names = hosts.map(({ name }) => name);
  const found = words.map((word) => hosts.find(({ name, address }) => name === word || address === word)?.name);
  const unknown = words.filter((_, i) => found[i] === undefined);
  if (unknown.length > 0) {
    const guesses = unknown.flatMap((word) => didYouMean(word, names) ?? []);
    throw new SlipwayError(`${what}there is no host ${unknown.map((word) => word || '(an empty name)').join(', ')} in the cluster file`, {
      code: 'HOST_UNKNOWN',
      category: 'usage',
      hint: guesses.length === unknown.length ? `did you mean ${guesses.join(',')}?` : `hosts: ${names.join(', ')}`,
    });
  }
  return names.filter((name) => found.includes(name));
}
