import type { ComponentVersions } from '../../artifacts/catalogue.ts';
import { declarations } from '../../components/declare.ts';
import { components } from '../../components/index.ts';
import type { Cluster, Host } from '../../config/cluster.ts';
import type { Facts } from '../../facts/facts.ts';
import type { PreflightContext } from './preflight.ts';

/** What the kernel keeps of a command's name (TASK_COMM_LEN without the final zero). */
const COMM = 15;

/** Derives what the checks ask about from what the components declare: ports, commands of our daemons, packages that we install. */
export function preflightContext({
  cluster,
  facts,
  versions,
}: {
  cluster: Cluster;
  facts: Readonly<Record<string, Facts>>;
  versions: ComponentVersions;
}): PreflightContext {
  // A host without an address is a finding of its own; what depends on it cannot be declared.
  const addressed = cluster.hosts.every(
    ({ name, privateAddress, roles }) =>
      privateAddress !== undefined || (facts[name] === undefined && !roles.includes('control-plane') && !roles.includes('etcd')),
  );
  const declared = (host: Host) => (addressed ? declarations({ cluster, facts, versions }, host) : []);
  const provided = cluster.hosts
    .filter(({ name }) => facts[name] !== undefined)
    .flatMap((host) => declared(host).flatMap(({ declaration: { packages = [] } }) => packages.flatMap(({ provides }) => provides)));
  return {
    cluster,
    hosts: facts,
    requiredPorts: (host) =>
      declared(host).flatMap(({ component: { name }, declaration: { ports = [] } }) =>
        ports.map(({ port, protocol }) => ({ port, protocol, by: name })),
      ),
    ownProcesses: new Set([...components.map(({ name }) => name), ...provided].map((name) => name.slice(0, COMM))),
    installs: new Set(provided),
  };
}
