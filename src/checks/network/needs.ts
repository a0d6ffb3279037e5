import { connecting } from '../../components/topology.ts';
import type { Host } from '../../config/cluster.ts';
import type { Facts } from '../../facts/facts.ts';
import { declaredPorts, type Known } from '../preflight/context.ts';
import { mtuOf, overhead } from '../preflight/mtu.ts';
import { isOurs } from '../preflight/preflight.ts';

/** One host must reach one port of another. */
export interface Need {
  from: string;
  to: string;
  protocol: 'tcp' | 'udp';
  port: number;
  /** The component that listens there. */
  by: string;
}

/** What came of it. */
export interface Passage extends Need {
  state: 'ok' | 'blocked' | 'unknown';
  /** Why it is not ok, in a few words. */
  why?: string | undefined;
}

/** Whether packets as large as the sender's pods will cause pass, with the header of IP and without being cut up. Bytes. */
export interface PathSize {
  from: string;
  to: string;
  /** Largest outer packet that the pod network will send. */
  needed: number;
  /** Largest of the sizes tried that arrived; `needed` where all is well. */
  passed: number;
}

export interface Measured {
  passages: readonly Passage[];
  sizes: readonly PathSize[];
  /** Hosts where nothing could be tried, each with the reason. */
  silent: Readonly<Record<string, string>>;
}

export interface NeedsRequest extends Known {
  /** Only pairs with one of these hosts, by name; undefined: all pairs. */
  concerning?: readonly string[] | undefined;
}

/** Which host must reach which port of which other: exactly what the components declare, among hosts that were gathered. */
export function networkNeeds({ concerning, ...known }: NeedsRequest): Need[] {
  const { cluster, facts } = known;
  const ports = declaredPorts(known);
  const there = (host: Host): boolean => facts[host.name] !== undefined && host.privateAddress !== undefined;
  const concerned = (host: Host): boolean => concerning === undefined || concerning.includes(host.name);
  return cluster.hosts.filter(there).flatMap((to) =>
    ports(to).flatMap(({ port, protocol, from, by }) =>
      connecting(cluster, from)
        .filter((host) => host.name !== to.name && there(host) && (concerned(host) || concerned(to)))
        .map((host) => ({ from: host.name, to: to.name, protocol, port, by })),
    ),
  );
}

/** Hosts that the plan may change and that have nothing of ours yet: what they need of the network was never tried. */
export function newHosts({ facts, limit }: Pick<Known, 'facts'> & { limit?: readonly string[] | undefined }): string[] {
  return Object.keys(facts).filter((name) => (limit === undefined || limit.includes(name)) && !isOurs(facts[name]!));
}

/** Who holds a port that is not to be tried, because it is somebody else's: the check `ports` says so. */
export function stranger(facts: Facts, { protocol, port }: Pick<Need, 'protocol' | 'port'>): string | undefined {
  if (isOurs(facts)) return undefined;
  return facts.listening.find(
    (socket) => socket.protocol === protocol && socket.port === port && (protocol === 'tcp' || socket.process !== ''),
  )?.process;
}

/** Bytes of the largest packet that a host's pods cause on the way to another node; undefined where that is not known. */
export function neededSize({ cluster, facts }: Pick<Known, 'cluster' | 'facts'>, name: string): number | undefined {
  const host = cluster.hosts.find((one) => one.name === name);
  const own = host === undefined || facts[name] === undefined ? undefined : mtuOf(host, facts[name]);
  if (own === undefined) return undefined;
  const { backend, mtu } = cluster.network.flannel;
  return Math.min(own, largest, mtu === undefined ? own : mtu + overhead[backend]);
}

/** An IPv4 packet can be no larger. */
const largest = 65_535;
