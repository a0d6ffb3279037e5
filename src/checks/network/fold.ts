import { groupBy } from '../../base/group.ts';

/** Something that is true of a way from one host to another. */
export interface Edge {
  from: string;
  to: string;
  /** What is true of it; equal ones are told together. */
  what: string;
}

/** The same, of each way from one of `from` to one of `to` (but not from a host to itself). */
export interface Bundle {
  from: readonly string[];
  to: readonly string[];
  what: readonly string[];
  /** Of the ways back as well; then `from` is one host. */
  both?: boolean;
}

/**
 * Tells many ways in few sentences: those among the same hosts, those to the same host, or those from the same host, whichever are fewer.
 * The order of the edges is kept.
 */
export function fold(edges: readonly Edge[]): Bundle[] {
  const bundles = groups(edges, ({ what }) => what).flatMap((alike) => {
    const hosts = [...new Set(alike.flatMap(({ from, to }) => [from, to]))];
    const distinct = new Set(alike.map(({ from, to }) => JSON.stringify([from, to])));
    const what = [alike[0]!.what];
    if (hosts.length > 2 && distinct.size === hosts.length * (hosts.length - 1)) return [{ from: hosts, to: hosts, what }];
    const byTo = stars(alike, 'to', 'from').map(({ centres, others }) => ({ from: others, to: centres, what }));
    const byFrom = stars(alike, 'from', 'to').map(({ centres, others }) => ({ from: centres, to: others, what }));
    return byFrom.length < byTo.length ? byFrom : byTo;
  });
  const folded = groups(bundles, ({ from, to }) => JSON.stringify([from, to])).map((same) => ({
    from: same[0]!.from,
    to: same[0]!.to,
    what: same.flatMap(({ what }) => what),
  }));
  return mergeBack(folded);
}

/** Ways to a host and the same from it are one bundle. */
function mergeBack(bundles: readonly Bundle[]): Bundle[] {
  const merged: Bundle[] = [];
  for (const bundle of bundles) {
    const back = merged.findIndex(
      ({ from, to, what }) => from !== to && sameSet(from, bundle.to) && sameSet(to, bundle.from) && sameSet(what, bundle.what),
    );
    const one = [bundle.from, bundle.to].findIndex(({ length }) => length === 1);
    if (back < 0 || one < 0) merged.push(bundle);
    else merged[back] = one === 0 ? { ...bundle, both: true } : { from: bundle.to, to: bundle.from, what: bundle.what, both: true };
  }
  return merged;
}

function sameSet(one: readonly string[], other: readonly string[]): boolean {
  return JSON.stringify([...one].sort()) === JSON.stringify([...other].sort());
}

/** Hosts that have the same others at the other end of their edges, together. */
function stars(edges: readonly Edge[], centre: 'from' | 'to', other: 'from' | 'to'): { centres: string[]; others: string[] }[] {
  const all = groups(edges, (edge) => edge[centre]).map((own) => ({
    centre: own[0]![centre],
    others: [...new Set(own.map((edge) => edge[other]))],
  }));
  return groups(all, ({ others }) => JSON.stringify([...others].sort())).map((same) => ({
    centres: same.map((one) => one.centre),
    others: same[0]!.others,
  }));
}

const groups = <T>(all: readonly T[], key: (one: T) => string): T[][] => [...groupBy(all, key).values()];
