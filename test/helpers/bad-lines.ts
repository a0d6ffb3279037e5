import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { watchedApply } from './apply.ts';
import type { Finished, TestLab } from './lab.ts';
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts';

/** Every host of a lab behind a TCP relay of its own, over which alone `slipway` reaches it. */
export interface BadLines {
  lab: TestLab;
  of(host: string): TcpProxy;
  readonly hosts: readonly string[];
  heal(): void;
  close(): Promise<void>;
}

/** Rewrites the lab's cluster file and known_hosts: SSH goes to the relays, the cluster's own traffic stays where it was. */
export async function badLines(lab: TestLab): Promise<BadLines> {
  const [clusterFile, knownHosts] = ['cluster.yaml', 'known_hosts'].map((name) => join(lab.directory, name)) as [string, string];
  let cluster = await readFile(clusterFile, 'utf8');
  let known = await readFile(knownHosts, 'utf8');
  const proxies = new Map<string, TcpProxy>();
  for (const [text, name, address] of cluster.matchAll(/name: ([\w-]+), +address: ([\d.]+)/g) as Iterable<[string, string, string]>) {
    const loopback = `127.0.0.${address.split('.').at(-1)}`;
    const proxy = await startTcpProxy(22, address, loopback);
    proxies.set(name, proxy);
    cluster = cluster.replace(text, `name: ${name}, address: ${loopback}, privateAddress: ${address}, ssh: { port: ${proxy.port} }`);
    known = known.replaceAll(`${address} `, `[${loopback}]:${proxy.port} `);
  }
  await writeFile(clusterFile, cluster);
  await writeFile(knownHosts, known);
  return {
    lab,
    hosts: [...proxies.keys()],
    of: (host) => proxies.get(host)!,
    heal: () => proxies.forEach((proxy) => proxy.heal()),
    close: async () => {
      await Promise.all([...proxies.values()].map((proxy) => proxy.close()));
    },
  };
}

export interface Fault {
  name: string;
  /** When it can strike: once so many steps are done, or when an archive is on its way. */
  moment: 'any' | 'upload';
  strike(line: TcpProxy, blow: Blow): void;
}

/** Whom a fault strikes, and when. */
export interface Blow {
  host: string;
  /** From 0 to 1: so much of the first third of what is planned is done, or so much of 20 MB of an upload has passed. */
  at: number;
}

export const truncation: Fault = {
  name: 'cut in the middle of an upload',
  moment: 'upload',
  strike: (line, { at }) => line.resetAfter(1 + Math.floor(at * 20_000_000)),
};
export const reset: Fault = { name: 'reset', moment: 'any', strike: (line) => line.reset() };

/** Those that nobody is told of, and that keepalives must find. */
export const silentFaults: readonly Fault[] = [
  { name: 'black-holed', moment: 'any', strike: (line) => line.blackHole() },
  { name: 'half-open, with the host gone', moment: 'any', strike: (line) => line.halfOpen() },
  { name: 'half-open, deaf towards the host', moment: 'any', strike: (line) => line.deafen('server') },
  { name: 'half-open, deaf towards us', moment: 'any', strike: (line) => line.deafen('client') },
];

export interface Struck extends Finished {
  /** From the strike to the end of the command; undefined when there was too little left to do for it. */
  seconds: number | undefined;
}

/** Runs apply, and lets the fault strike. */
export async function applyStruck(lines: BadLines, fault: Fault, blow: Blow): Promise<Struck> {
  const { host, at } = blow;
  let struckAt: number | undefined;
  let wait = Infinity;
  const finished = await watchedApply(lines.lab, (event) => {
    if (event.code === 'plan.made' && fault.moment === 'any') wait = 1 + Math.floor((at * event.plan.steps.length) / 3);
    const now =
      fault.moment === 'upload'
        ? event.code === 'step.started' && event.step.host === host && event.step.kind === 'artefact'
        : event.code === 'step.done' && --wait === 0;
    if (!now || struckAt !== undefined) return;
    fault.strike(lines.of(host), blow);
    struckAt = performance.now();
  });
  lines.heal();
  return { ...finished, seconds: struckAt === undefined ? undefined : (performance.now() - struckAt) / 1000 };
}
