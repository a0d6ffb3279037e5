import type { ComponentVersions } from '../../artifacts/catalogue.ts';
import { declarations, type Declared } from '../../components/declare.ts';
import { components } from '../../components/index.ts';
import type { PortSpec } from '../../components/component.ts';
import type { Cluster, Host } from '../../config/cluster.ts';
import type { Facts } from '../../facts/facts.ts';
import type { Measured } from '../network/needs.ts';
import type { PreflightContext } from './preflight.ts';

/** What the kernel keeps of a command's name (TASK_COMM_LEN without the final zero). */
const COMM = 15;

/** What is known of hosts before anything is done to them. */
export interface Known {
  cluster: Cluster;
  facts: Readonly<Record<string, Facts>>;
  unadmitted?: PreflightContext['unadmitted'] | undefined;
  versions: ComponentVersions;
}

/** What the components declare for a host that was gathered. */
function declarationsOf(known: Known): (host: Host) => Declared[] {
  // A host without an address is a finding of its own; what depends on it cannot be declared.
  const addressed = known.cluster.hosts.every(
    ({ name, privateAddress, roles }) =>
      privateAddress !== undefined || (known.facts[name] === undefined && !roles.includes('control-plane') && !roles.includes('etcd')),
  );
  return (host) => (addressed ? declarations(known, host) : []);
}

/** The ports that components open on a host that was gathered, each with its component's name. */
export function declaredPorts(known: Known): (host: Host) => (PortSpec & { by: string })[] {
  const declared = declarationsOf(known);
  return (host) =>
    declared(host).flatMap(({ component: { name }, declaration: { ports = [] } }) => ports.map((port) => ({ ...port, by: name })));
}

/** Derives what the checks ask about from what the components declare: ports, commands of our daemons, packages that we install. */
export function preflightContext({ network, ...known }: Known & { network?: Measured | undefined }): PreflightContext {
  const { cluster, facts } = known;
  const declared = declarationsOf(known);
  const ports = declaredPorts(known);
  const provided = cluster.hosts
    .filter(({ name }) => facts[name] !== undefined)
    .flatMap((host) => declared(host).flatMap(({ declaration: { packages = [] } }) => packages.flatMap(({ provides }) => provides)));
  return {
    cluster,
    hosts: facts,
    requiredPorts: (host) => ports(host).map(({ port, protocol, by }) => ({ port, protocol, by })),
    ownProcesses: new Set([...components.map(({ name }) => name), ...provided].map((name) => name.slice(0, COMM))),
    installs: new Set(provided),
    unadmitted: known.unadmitted ?? [],
    network,
  };
}
