import type { Cluster, Host } from '../../config/cluster.ts';
import type { Facts } from '../../facts/facts.ts';
import type { Check, Finding } from '../check.ts';
import type { Measured } from '../network/needs.ts';

/** A port that a component will open on a host. */
export interface RequiredPort {
  port: number;
  protocol: 'tcp' | 'udp';
  /** The component, for messages. */
  by: string;
}

/** What preflight checks look at. Hosts whose facts were not gathered are not judged. */
export interface PreflightContext {
  /** With final names and addresses: see normalise. */
  cluster: Cluster;
  /** By final name. */
  hosts: Readonly<Record<string, Facts>>;
  requiredPorts(host: Host): readonly RequiredPort[];
  /** Commands of our own daemons as the kernel knows them (15 characters), which may hold their ports on a host of ours. */
  ownProcesses: ReadonlySet<string>;
  /** Commands that a phase installs when they are missing. */
  installs: ReadonlySet<string>;
  /** Networks of hosts of which the firewalls admit these hosts' addresses alone. */
  unadmitted: readonly { host: string; network: string }[];
  /** What was tried between hosts; undefined where nothing was. */
  network?: Measured | undefined;
}

export type PreflightFinding = Omit<Finding, 'check'>;
export type PreflightCheck = Check<PreflightContext>;

/** A finding about one host. */
export function finding(
  severity: Finding['severity'],
  host: string | readonly string[],
  text: { what: string; hint: string },
): PreflightFinding {
  return { severity, hosts: typeof host === 'string' ? [host] : host, ...text };
}

/** Asks the same question of every host that was gathered, in the order of the cluster file. */
export function perHost(
  { cluster, hosts }: PreflightContext,
  ask: (host: Host, facts: Facts) => readonly (PreflightFinding | undefined)[],
): PreflightFinding[] {
  return cluster.hosts.flatMap((host) => {
    const facts = hosts[host.name];
    return facts === undefined ? [] : ask(host, facts).filter((answer) => answer !== undefined);
  });
}

/** Whether we have installed something on this host before. */
export function isOurs(facts: Facts): boolean {
  return facts.leftovers.some(({ of }) => of === 'slipway');
}

export { list, several, size } from '../../base/words.ts';
