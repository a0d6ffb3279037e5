import { componentVersions } from '../../../src/artifacts/catalogue.ts';
import { preflightContext } from '../../../src/checks/preflight/context.ts';
import { preflight } from '../../../src/checks/preflight/index.ts';
import type { Measured } from '../../../src/checks/network/needs.ts';
import type { Cluster } from '../../../src/config/cluster.ts';
import { parseCluster } from '../../../src/config/parse.ts';
import type { Facts } from '../../../src/facts/facts.ts';
import { normalise } from '../../../src/phases/normalise.ts';

const GiB = 2 ** 30;

/** A host in which nothing is wrong: Debian 12 on real hardware, `cp-1` at 10.0.0.11, `w-1` at .21, `w-2` at .22. */
export function healthy(name: string, address: string): Facts {
  const octet = address.split('.')[3]!;
  return {
    hostname: name,
    os: { id: 'debian', versionId: '12', prettyName: 'Debian GNU/Linux 12 (bookworm)', like: [] },
    arch: 'amd64',
    kernel: '6.1.0-40-amd64',
    init: 'systemd',
    systemdVersion: 252,
    machineId: `00000000000000000000000000000${octet.padStart(3, '0')}`,
    productUuid: `4c4c4544-0042-3510-8054-b7c04f4a5${octet.padStart(3, '0')}`,
    bootId: `boot-${name}`,
    cpus: 2,
    memory: { total: 4 * GiB, available: 3 * GiB },
    disks: ['/', '/opt', '/var/lib', '/var/lib/etcd', '/var/lib/containerd', '/var/lib/kubelet', '/var/log'].map((path) => ({
      path,
      free: 60 * GiB,
      total: 100 * GiB,
      type: 'ext4',
      readOnly: false,
      noexec: false,
    })),
    clock: { host: 1_795_000_000_000, operator: 1_795_000_000_000 },
    interfaces: [
      { name: 'lo', mac: '00:00:00:00:00:00', mtu: 65536, up: true, addresses: [{ address: '127.0.0.1', prefix: 8 }] },
      { name: 'eth0', mac: `52:54:00:00:00:${octet.padStart(2, '0')}`, mtu: 1500, up: true, addresses: [{ address, prefix: 24 }] },
    ],
    routes: [
      { destination: 'default', via: '10.0.0.1', device: 'eth0', source: undefined },
      { destination: '10.0.0.0/24', via: undefined, device: 'eth0', source: address },
    ],
    routesTo: Object.fromEntries(
      ['10.0.0.11', '10.0.0.21', '10.0.0.22'].filter((peer) => peer !== address).map((peer) => [peer, { device: 'eth0', source: address }]),
    ),
    swap: [],
    kernelFeatures: {
      cgroup: 2,
      cgroupControllers: ['cpuset', 'cpu', 'io', 'memory', 'hugetlb', 'pids'],
      overlay: true,
      vxlan: true,
      bridgeNetfilter: true,
      wireguard: true,
      ipvs: true,
      nftables: true,
      tun: true,
      unloaded: [],
      conntrackWritable: true,
      oomScoreAdjNegative: true,
      inotifyInstances: 128,
    },
    iptables: { present: true, mode: 'nft', version: '1.8.9', forwardPolicy: 'ACCEPT' },
    firewall: { firewalld: false, ufw: false, docker: false, nftablesService: false, dropChains: [] },
    selinux: 'disabled',
    listening: [{ protocol: 'tcp', address: '*', port: 22, process: 'sshd' }],
    resolvConf: { path: '/etc/resolv.conf', nameservers: ['10.0.0.2'] },
    proxies: {},
    commands: ['apt-get', 'tar', 'gzip', 'base64', 'sha256sum', 'flock', 'head', 'find', 'mount', 'useradd', 'ip', 'ss', 'iptables', 'nft'],
    containerdBeside: false,
    leftovers: [],
  };
}

export const hosts = { 'cp-1': '10.0.0.11', 'w-1': '10.0.0.21', 'w-2': '10.0.0.22' } as const;
export type Name = keyof typeof hosts;

/** Three hosts; `spec` is what else the file says, as flow-style YAML lines. */
export function clusterOf(spec = ''): Cluster {
  const text = `apiVersion: slipway.dev/v1
kind: Cluster
metadata: { name: prod }
spec:
  hosts:
    - { name: cp-1, address: 10.0.0.11, roles: [control-plane] }
    - { name: w-1, address: 10.0.0.21 }
    - { name: w-2, address: 10.0.0.22 }
${spec}`;
  return parseCluster(text, 'cluster.yaml').cluster;
}

export interface Situation {
  cluster?: Cluster;
  /** What is different about a host; `undefined`: its facts were not gathered. */
  facts?: Partial<Record<Name, (facts: Facts) => Facts>>;
  without?: readonly Name[];
  /** What was tried between the hosts. */
  network?: Measured;
}

/** Every finding as one line: severity, check, hosts, what, and the way out behind `->`. */
export function findings({ cluster = clusterOf(), facts = {}, without = [], network }: Situation = {}): string[] {
  const gathered = Object.fromEntries(
    (Object.keys(hosts) as Name[])
      .filter((name) => !without.includes(name))
      .map((name) => [name, (facts[name] ?? ((same) => same))(healthy(name, hosts[name]))]),
  );
  const settled = normalise(cluster, gathered);
  return preflight(preflightContext({ ...settled, versions: componentVersions(cluster.kubernetes.version), network })).map(
    ({ severity, check, hosts: names, what, hint }) => `${severity} ${check} [${names.join(' ')}] ${what} -> ${hint}`,
  );
}

/** A change of some fields. */
export function change(fields: Partial<Facts>): (facts: Facts) => Facts {
  return (facts) => ({ ...facts, ...fields });
}

export function kernelFeatures(fields: Partial<Facts['kernelFeatures']>): (facts: Facts) => Facts {
  return (facts) => ({ ...facts, kernelFeatures: { ...facts.kernelFeatures, ...fields } });
}

export function withoutCommands(...names: string[]): (facts: Facts) => Facts {
  return (facts) => ({ ...facts, commands: facts.commands.filter((command) => !names.includes(command)) });
}
