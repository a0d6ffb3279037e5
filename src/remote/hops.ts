import type { Target } from './target.ts';
import { dial, type DialOptions, type Link } from './transport.ts';

/** Connections to jump hosts, each opened once and used by every host behind it: a bastion's sshd starts refusing at ten logins at a time. */
export interface Hops {
  /** The connection to the last jump host of the chain; undefined for an empty chain. */
  through(chain: readonly Target[], options: Omit<DialOptions, 'via'>): Promise<Link | undefined>;
  close(): Promise<void>;
}

interface Hop {
  opening: Promise<Link>;
  link?: Link;
}

export function createHops(): Hops {
  const hops = new Map<string, Hop>();

  const open = async (chain: readonly Target[], options: Omit<DialOptions, 'via'>): Promise<Link> =>
    dial(chain.at(-1)!, { ...options, via: await through(chain.slice(0, -1), options) });

  const through: Hops['through'] = async (chain, options) => {
    if (chain.length === 0) return undefined;
    const key = chain.map(({ user, address, port }) => `${user}@[${address}]:${port}`).join(' ');
    const existing = hops.get(key);
    if (existing !== undefined && existing.link?.lost() === undefined) return existing.opening;
    const hop: Hop = { opening: open(chain, options) };
    hops.set(key, hop);
    try {
      return (hop.link = await hop.opening);
    } catch (error) {
      if (hops.get(key) === hop) hops.delete(key);
      throw error;
    }
  };

  return {
    through,
    async close() {
      const links = await Promise.all([...hops.values()].map(({ opening }) => opening.catch(() => undefined)));
      hops.clear();
      // A connection is closed over the one that carries it: the last opened first.
      for (const link of links.reverse()) await link?.close();
    },
  };
}
