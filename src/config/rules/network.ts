import { contains, isIPv4, nthAddress, overlaps, parseNetwork } from '../addresses.ts';
import type { Cluster } from '../cluster.ts';
import type { Problem } from '../problem.ts';
import { clusterAddress } from './hosts.ts';
import type { Rule } from './rules.ts';

const at = (...path: (string | number)[]) => ['spec', 'network', ...path];

const podsAndServices: Rule = {
  needs: ['network.podCidr', 'network.serviceCidr'],
  check: ({ network }) =>
    overlaps(network.podCidr, network.serviceCidr)
      ? [
          {
            path: at('serviceCidr'),
            message: `${network.serviceCidr} overlaps podCidr, ${network.podCidr}`,
            hint: 'Choose two networks that share no address.',
          },
        ]
      : [],
};

const serviceSize: Rule = {
  needs: ['network.serviceCidr'],
  check: ({ network }) => {
    const { prefix } = parseNetwork(network.serviceCidr)!;
    if (prefix >= 12 && prefix <= 24) return [];
    const why =
      prefix < 12
        ? 'the API server takes no service network larger than /12'
        : 'a service network smaller than /24 soon has no address left';
    return [
      {
        path: at('serviceCidr'),
        message: `${network.serviceCidr} has a size that does not work: ${why}`,
        hint: 'Use a size from /12 to /24, such as 10.96.0.0/16.',
      },
    ];
  },
};

/** Networks in which pods are, when the file says so, or where hosts are. */
const nodesApart: Rule = {
  needs: ['network.podCidr', 'network.serviceCidr'],
  check: ({ network }) =>
    network.nodeCidrs.flatMap((cidr, i) =>
      clusterNetworks(network)
        .filter((other) => overlaps(cidr, other.cidr))
        .map((other) => ({
          path: at('nodeCidrs', i),
          message: `${cidr} overlaps ${other.field}, ${other.cidr}`,
          hint: `Choose another ${other.field}; packets to these nodes would go astray.`,
        })),
    ),
};

const hostsApart: Rule = {
  needs: ['network.podCidr', 'network.serviceCidr'],
  check: (cluster) =>
    cluster.hosts.flatMap((host, i) =>
      (['address', 'privateAddress'] as const).flatMap((field) => {
        const address = host[field];
        if (address === undefined || !isIPv4(address)) return [];
        return clusterNetworks(cluster.network)
          .filter((other) => contains(other.cidr, address))
          .map((other) => ({
            path: ['spec', 'hosts', i, field],
            message: `${address} lies in ${other.field}, ${other.cidr}`,
            hint: `Choose another ${other.field}; packets to this host would go astray.`,
          }));
      }),
    ),
};

const hostsInNodeCidrs: Rule = {
  needs: ['network.nodeCidrs', 'hosts.privateAddress'],
  check: (cluster) => {
    const { nodeCidrs } = cluster.network;
    if (nodeCidrs.length === 0) return [];
    return cluster.hosts.flatMap((host, i) => {
      const address = clusterAddress(host);
      if (address === undefined || nodeCidrs.some((cidr) => contains(cidr, address))) return [];
      return [
        {
          path: ['spec', 'hosts', i, host.privateAddress === undefined ? 'address' : 'privateAddress'],
          message: `${address} is in none of nodeCidrs (${nodeCidrs.join(', ')}), so firewalls would not let it in`,
          hint:
            host.privateAddress === undefined
              ? 'Add its network to nodeCidrs, or a privateAddress that lies in them.'
              : 'Add its network to nodeCidrs.',
        },
      ];
    });
  },
};

/** Nodes that podCidr has room for. */
export function nodeCapacity(network: Cluster['network']): number {
  const { prefix } = parseNetwork(network.podCidr)!;
  if (network.nodeCidrMaskSize < prefix) return 0;
  return 2 ** (network.nodeCidrMaskSize - prefix);
}

const capacity: Rule = {
  needs: ['network.podCidr', 'network.nodeCidrMaskSize'],
  check: (cluster) => {
    const { network } = cluster;
    const { prefix } = parseNetwork(network.podCidr)!;
    const size = network.nodeCidrMaskSize;
    const path = at('nodeCidrMaskSize');
    if (size < prefix)
      return [
        {
          path,
          message: `/${size} is larger than podCidr itself, ${network.podCidr}`,
          hint: `Use a number from ${prefix} to 28, or a larger podCidr.`,
        },
      ];
    // kube-controller-manager, range allocator: at most 16 bits between the two.
    if (size - prefix > 16) {
      return [
        {
          path,
          message: `/${size} is too small a part of ${network.podCidr}: at most 16 bits may lie between them`,
          hint: `Use ${prefix + 16} or less.`,
        },
      ];
    }
    const nodes = cluster.hosts.filter((host) => host.roles.includes('control-plane') || host.roles.includes('worker')).length;
    const room = nodeCapacity(network);
    const wider = Math.max(8, prefix - Math.ceil(Math.log2((nodes + 1) / room)) - 1);
    const hint = `podCidr cannot be changed later: use a larger one, such as ${nthAddress(`${network.podCidr.split('/')[0]!}/${wider}`, 0)}/${wider}.`;
    if (nodes > room)
      return [
        {
          path: at('podCidr'),
          message: `${network.podCidr} in parts of /${size} has room for ${room} nodes, and there are ${nodes}`,
          hint,
        },
      ];
    const problems: Problem[] = [];
    if (nodes === room) {
      problems.push({
        path: at('podCidr'),
        message: `${network.podCidr} in parts of /${size} has room for ${room} nodes, and there are ${nodes}: none can join`,
        hint,
        warning: 'POD_CIDR_FULL',
      });
    }
    if (size > 25) {
      // Three addresses are the network, the bridge and the broadcast address; the kubelet takes 110 pods by default.
      const message = `/${size} has ${2 ** (32 - size) - 3} addresses for the pods of a node, where 110 pods may run`;
      problems.push({ path, message, hint: 'Use 25 or less.', warning: 'POD_ADDRESSES_FEW' });
    }
    return problems;
  },
};

const mtuFitsBackend: Rule = {
  needs: ['network.flannel.backend'],
  check: ({ network: { flannel } }) =>
    flannel.mtu !== undefined && (flannel.backend === 'host-gw' || flannel.backend === 'udp')
      ? [
          {
            path: at('flannel', 'mtu'),
            message: `flannel's backend ${flannel.backend} has no such setting`,
            hint: 'Remove mtu, or use vxlan or wireguard.',
          },
        ]
      : [],
};

const namesApart: Rule = {
  needs: ['network.clusterDomain'],
  check: (cluster) => {
    const { clusterDomain } = cluster.network;
    if (/(^|\.)\d+$/.test(clusterDomain))
      return [{ path: at('clusterDomain'), message: `"${clusterDomain}" ends in a number, so resolvers would take it for an address` }];
    return cluster.hosts.flatMap((host, i) =>
      host.address.toLowerCase().endsWith(`.${clusterDomain}`)
        ? [
            {
              path: ['spec', 'hosts', i, 'address'],
              message: `${host.address} lies in clusterDomain, ${clusterDomain}, where pods find only services`,
              hint: 'Use another clusterDomain, or the IP address of the host.',
              warning: 'CLUSTER_DOMAIN_SHADOWS',
            },
          ]
        : [],
    );
  },
};

function clusterNetworks(network: Cluster['network']): { field: string; cidr: string }[] {
  return [
    { field: 'podCidr', cidr: network.podCidr },
    { field: 'serviceCidr', cidr: network.serviceCidr },
  ];
}

export const networkRules: readonly Rule[] = [
  podsAndServices,
  serviceSize,
  nodesApart,
  hostsApart,
  hostsInNodeCidrs,
  capacity,
  mtuFitsBackend,
  namesApart,
];
