import { bug } from '../base/errors.ts';
import { connectThrough, type ConnectOptions } from './connect.ts';
import { createHops } from './hops.ts';
import type { Runner } from './runner.ts';
import { createSlots } from './slots.ts';
import type { Target } from './target.ts';

/** The hosts of a run, each connected when it is first needed, and once. */
export interface Fleet {
  readonly names: readonly string[];
  /** The host's runner. Rejects as `connect` does; a later call tries again, also after the connection was lost (the host was restarted). */
  runner(name: string): Promise<Runner>;
  /** Ends all connections; the fleet can be used again. */
  closeAll(): Promise<void>;
}

export interface FleetOptions extends ConnectOptions {
  /** How many hosts are being connected at the same time. Default 30. */
  concurrency?: number | undefined;
}

export function createFleet(targets: readonly Target[], options: FleetOptions = {}): Fleet {
  const byName = new Map(targets.map((target) => [target.name, target]));
  if (byName.size !== targets.length) throw bug('two hosts of a fleet have the same name');
  const slots = createSlots(options.concurrency ?? 30);
  const hops = createHops();
  const runners = new Map<string, Promise<Runner>>();

  const open = async (target: Target): Promise<Runner> => {
    const release = await slots.take();
    try {
      const { runner, link } = await connectThrough(target, hops, options);
      link.onLost(() => runners.delete(target.name));
      return runner;
    } finally {
      release();
    }
  };

  return {
    names: [...byName.keys()],
    async runner(name) {
      const target = byName.get(name);
      if (target === undefined) throw bug(`no host ${name} in the fleet`);
      const existing = runners.get(name);
      if (existing !== undefined) return existing;
      const opening = open(target);
      runners.set(name, opening);
      try {
        return await opening;
      } catch (error) {
        runners.delete(name);
        throw error;
      }
    },
    async closeAll() {
      const open = await Promise.all([...runners.values()].map((opening) => opening.catch(() => undefined)));
      runners.clear();
      await Promise.all(open.map(async (runner) => runner?.close()));
      await hops.close();
    },
  };
}
