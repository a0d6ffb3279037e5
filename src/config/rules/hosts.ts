import { isIPv4, rangeOf } from '../addresses.ts';
import type { Cluster, Host } from '../cluster.ts';
import type { Problem } from '../problem.ts';
import type { Rule } from './rules.ts';

/** The address that the cluster's own traffic uses, as far as the file tells. */
export function clusterAddress(host: Host): string | undefined {
  return host.privateAddress ?? (isIPv4(host.address) ? host.address : undefined);
}

const uniqueNames: Rule = {
  needs: [],
  check: (cluster) =>
    repeated(
      cluster,
      (host) => (host.named ? host.name : undefined),
      (name, host, first) => ({
        path: ['spec', 'hosts', host, 'name'],
        message: `"${name}" is also the name of another host`,
        also: ['spec', 'hosts', first],
        hint: 'Give every host the name that it reports itself (hostname).',
      }),
    ),
};

const uniqueAddresses: Rule = {
  needs: ['ssh'],
  check: (cluster) =>
    repeated(
      cluster,
      (host) => JSON.stringify([host.address.toLowerCase(), host.ssh.port ?? 22, host.ssh.jump]),
      (_, host, first) => ({
        path: ['spec', 'hosts', host, 'address'],
        message: `${cluster.hosts[host]!.address} is also the address of another host`,
        also: ['spec', 'hosts', first],
        hint: 'Remove one of the two, or correct the address (or the ssh port, when several hosts are behind one address).',
      }),
    ),
};

const uniqueClusterAddresses: Rule = {
  needs: ['hosts.privateAddress'],
  check: (cluster) =>
    repeated(cluster, clusterAddressIfReachable, (address, host, first) => {
      const { privateAddress } = cluster.hosts[host]!;
      const sameLogin =
        privateAddress === undefined && cluster.hosts[first]!.address === address && sameSsh(cluster.hosts[host]!, cluster.hosts[first]!);
      // uniqueAddresses has said it already.
      if (sameLogin) return undefined;
      if (privateAddress === undefined) {
        return {
          path: ['spec', 'hosts', host, 'address'],
          message: `${address} is also the address of another host, and nodes need addresses of their own`,
          also: ['spec', 'hosts', first],
          hint: 'Give each of them the address that it has among the nodes: privateAddress.',
        };
      }
      return {
        path: ['spec', 'hosts', host, 'privateAddress'],
        message: `${address} is also the address of another host`,
        also: ['spec', 'hosts', first],
        hint: 'Each host needs a private address of its own.',
      };
    }),
};

function clusterAddressIfReachable(host: Host): string | undefined {
  const address = clusterAddress(host);
  return address === undefined || rangeOf(address) === 'loopback' ? undefined : address;
}

function sameSsh(a: Host, b: Host): boolean {
  return (a.ssh.port ?? 22) === (b.ssh.port ?? 22) && JSON.stringify(a.ssh.jump) === JSON.stringify(b.ssh.jump);
}

const loopbackNeedsPrivate: Rule = {
  needs: ['hosts.privateAddress'],
  check: (cluster) =>
    cluster.hosts.flatMap((host, i) =>
      host.privateAddress === undefined && isIPv4(host.address) && rangeOf(host.address) === 'loopback'
        ? [
            {
              path: ['spec', 'hosts', i, 'address'],
              message: `${host.address} is a loopback address: SSH may use it, other nodes cannot`,
              hint: 'Add the address that the host has among the nodes: privateAddress.',
            },
          ]
        : [],
    ),
};

const hostKeysChecked: Rule = {
  needs: [],
  check: (_cluster, file) => {
    const problem = (path: Problem['path']): Problem => ({
      path,
      message: 'off means that anybody on the way to the host can take its place, and will be given its secrets',
      hint: 'Use strict or accept-new.',
      warning: 'HOST_KEYS_OFF',
    });
    if (file.spec.ssh.hostKeys === 'off') return [problem(['spec', 'ssh', 'hostKeys'])];
    return file.spec.hosts.flatMap((host, i) => (host.ssh.hostKeys === 'off' ? [problem(['spec', 'hosts', i, 'ssh', 'hostKeys'])] : []));
  },
};

const becomeFitsUser: Rule = {
  needs: [],
  check: (cluster, file) => {
    const shared = file.spec.ssh;
    let told = false;
    return cluster.hosts.flatMap((host, i): Problem[] => {
      if (host.ssh.become !== 'none' || host.ssh.user === undefined || host.ssh.user === 'root') return [];
      const isShared = host.ssh.user === shared.user && file.spec.hosts[i]?.ssh.become === undefined;
      if (isShared && told) return [];
      told ||= isShared;
      return [
        {
          path: isShared ? ['spec', 'ssh', 'become'] : ['spec', 'hosts', i, 'ssh'],
          message: `${host.ssh.user} logs in and becomes nobody else, but installing needs root`,
          hint: 'Write become: sudo, or user: root.',
          warning: 'NOT_ROOT',
        },
      ];
    });
  },
};

/** A problem for each host whose key an earlier host has too. */
function repeated(
  cluster: Cluster,
  keyOf: (host: Host) => string | undefined,
  problem: (key: string, host: number, first: number) => Problem | undefined,
): Problem[] {
  const seen = new Map<string, number>();
  return cluster.hosts.flatMap((host, i) => {
    const key = keyOf(host);
    if (key === undefined) return [];
    const first = seen.get(key);
    if (first === undefined) {
      seen.set(key, i);
      return [];
    }
    return problem(key, i, first) ?? [];
  });
}

export const hostRules: readonly Rule[] = [
  uniqueNames,
  uniqueAddresses,
  uniqueClusterAddresses,
  loopbackNeedsPrivate,
  hostKeysChecked,
  becomeFitsUser,
];
