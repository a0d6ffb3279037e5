import type { Cluster } from '../../config/cluster.ts';
import type { Prompts } from '../../remote/target.ts';
import type { Probe, ProbeResult } from './probe.ts';

/** The looking at hosts that goes on while questions are asked. */
export interface Survey {
  /** What is known so far, in the order of the cluster. */
  results(): ReadonlyMap<string, ProbeResult>;
  /** Resolves when every host has answered or failed. Calls back at once and after each host. */
  finished(onProgress?: (known: number, all: number) => void): Promise<void>;
  /** Looks at some hosts again; these keys (see keyId) are good. */
  again(hosts: readonly string[], accepted?: readonly string[]): Promise<void>;
  /** Forgets hosts. */
  drop(hosts: readonly string[]): void;
}

export interface SurveyOptions {
  cluster: Cluster;
  probe: Probe;
  signal: AbortSignal;
  /** Asks for passwords and passphrases when hosts are looked at again: then no other question is on the screen. */
  secret: Prompts['secret'] | undefined;
}

/** Begins at once. A rejection of the probe is kept for `finished`. */
export function startSurvey({ cluster, probe, signal, secret }: SurveyOptions): Survey {
  let names = cluster.hosts.map(({ name }) => name);
  const known = new Map<string, ProbeResult>();
  const accepted = new Set<string>();
  let progress: () => void = () => {};

  const look = (hosts: readonly string[], ask: Prompts['secret'] | undefined): Promise<void> =>
    probe({ cluster, hosts, accepted, secret: ask, signal }, (host, result) => {
      known.set(host, result);
      progress();
    });
  const first = look(names, undefined);
  first.catch(() => {});

  return {
    results: () => new Map(names.flatMap((name) => (known.has(name) ? [[name, known.get(name)!] as const] : []))),
    async finished(onProgress = () => {}) {
      progress = () => onProgress(known.size, names.length);
      progress();
      await first.finally(() => (progress = () => {}));
    },
    async again(hosts, keys = []) {
      for (const key of keys) accepted.add(key);
      await look(hosts, secret);
    },
    drop(hosts) {
      names = names.filter((name) => !hosts.includes(name));
    },
  };
}
