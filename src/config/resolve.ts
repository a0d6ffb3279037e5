import type { Cluster, Host, Role, SshConfig, Taint } from './cluster.ts';
import type { ClusterFile } from './schema.ts';
import { parseTaint } from './syntax.ts';

type FileHost = ClusterFile['spec']['hosts'][number];
type FileSsh = FileHost['ssh'];

const ROLE_ORDER: readonly Role[] = ['control-plane', 'etcd', 'worker'];

/** Turns the file as written into the cluster as the program sees it. `resolvePath` makes paths absolute. */
export function toCluster(file: ClusterFile, resolvePath: (path: string) => string): Cluster {
  const { spec } = file;
  const etcdIsNamed = spec.hosts.some((host) => host.roles.includes('etcd'));
  const { source, overrides } = spec.artifacts;
  return {
    name: file.metadata.name,
    kubernetes: spec.kubernetes,
    hosts: spec.hosts.map((host) => toHost(host, { ssh: spec.ssh, etcdIsNamed, resolvePath })),
    network: spec.network,
    runtime: spec.runtime,
    api: spec.api,
    artifacts: { source: typeof source === 'object' && 'bundle' in source ? { bundle: resolvePath(source.bundle) } : source, overrides },
    addons: { ...spec.addons, manifests: spec.addons.manifests.map(resolvePath) },
    rollout: spec.rollout,
    components: Object.fromEntries(
      Object.entries(spec.components).map(([name, { args }]) => [
        name,
        { args: Object.fromEntries(Object.entries(args).map(([flag, value]) => [flag, String(value)])) },
      ]),
    ),
  };
}

function toHost(host: FileHost, shared: { ssh: FileSsh; etcdIsNamed: boolean; resolvePath: (path: string) => string }): Host {
  const roles = new Set<Role>(host.roles);
  if (!shared.etcdIsNamed && roles.has('control-plane')) roles.add('etcd');
  return {
    name: host.name ?? host.address,
    named: host.name !== undefined,
    address: host.address,
    privateAddress: host.privateAddress,
    interface: host.interface,
    roles: ROLE_ORDER.filter((role) => roles.has(role)),
    labels: host.labels,
    taints: host.taints.map(toTaint),
    ssh: mergeSsh(shared.ssh, host.ssh, shared.resolvePath),
  };
}

function toTaint(taint: FileHost['taints'][number]): Taint {
  // The schema has checked the text.
  return typeof taint === 'string' ? (parseTaint(taint) as Taint) : taint;
}

function mergeSsh(cluster: FileSsh, host: FileSsh, resolvePath: (path: string) => string): SshConfig {
  const identityFile = host.identityFile ?? cluster.identityFile;
  const knownHosts = host.knownHosts ?? cluster.knownHosts;
  const jump = host.jump ?? cluster.jump ?? [];
  return {
    user: host.user ?? cluster.user,
    port: host.port ?? cluster.port,
    identityFile: identityFile === undefined ? undefined : resolvePath(identityFile),
    become: host.become ?? cluster.become ?? 'sudo',
    hostKeys: host.hostKeys ?? cluster.hostKeys ?? 'strict',
    knownHosts: knownHosts === undefined ? undefined : resolvePath(knownHosts),
    jump: typeof jump === 'string' ? [jump] : jump,
  };
}
