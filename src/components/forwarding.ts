import type { Component, FileSpec, PackageUse, PortSpec } from './component.ts';
import { isNode, UNITS } from './topology.ts';

const CONFIG = '/etc/slipway/forwarding';
const APPLY = `${CONFIG}/apply`;

/** Units that set up rules of their own, and take away or overrule ours while they do. */
const dropIns = ['docker.service', 'nftables.service'];
const dropInDirectory = (unit: string): string => `${UNITS}/${unit}.d`;

const firewalldZone = '/etc/firewalld/zones/slipway-pods.xml';
const firewalldPolicy = (name: 'nodes' | 'from-pods' | 'to-pods'): string => `/etc/firewalld/policies/slipway-${name}.xml`;

/** What it needs of the distribution. */
export const forwardingPackages: readonly PackageUse[] = [{ name: 'iptables', provides: ['iptables'] }];

/** Hosts that drop by default (docker, firewalls) are normal; only the cluster's own traffic is let through. Nothing is ever stopped or flushed. */
export const forwarding: Component = {
  name: 'forwarding',
  summary: 'Lets pod traffic and the ports of the cluster pass the host’s firewall, and goes on doing so whatever firewalls flush.',
  runsOn: () => true,
  rollout: 'batches',
  ownedPaths: [
    `${UNITS}/slipway-forwarding.service`,
    ...dropIns.map(dropInDirectory),
    firewalldZone,
    ...(['nodes', 'from-pods', 'to-pods'] as const).map(firewalldPolicy),
  ],
  declare({ cluster, host, facts, ports }) {
    const node = isNode(host);
    const { podCidr, nodeCidrs } = cluster.network;
    const open = ports
      .filter(({ from }) => from !== 'local')
      .flatMap(({ port, protocol, pods }) => [...nodeCidrs, ...(pods ? [podCidr] : [])].map((cidr) => ({ cidr, protocol, port })));
    return {
      packages: node ? forwardingPackages : [],
      directories: [{ path: CONFIG, mode: '0700' }, ...dropIns.map((unit) => ({ path: dropInDirectory(unit), mode: '0755' }))],
      files: [
        {
          path: APPLY,
          from: {
            template: 'forwarding/apply.sh.hbs',
            data: {
              podCidr,
              ports: open,
              forwards: node ? 'yes' : '',
              accept: node && cluster.network.forwarding === 'accept',
            },
          },
          mode: '0700',
        },
        ...dropIns.map((unit) => ({
          path: `${dropInDirectory(unit)}/slipway.conf`,
          from: { template: 'forwarding/drop-in.conf.hbs', data: { apply: APPLY, flushes: unit === 'nftables.service' } },
          mode: '0644',
        })),
        ...(facts.firewall.firewalld ? firewalldFiles({ podCidr, open, node }) : []),
      ],
      unit: {
        name: 'slipway-forwarding.service',
        path: `${UNITS}/slipway-forwarding.service`,
        template: 'forwarding/slipway-forwarding.service.hbs',
        data: { apply: APPLY },
      },
    };
  },
};

/** Who may connect to what. */
interface Opening extends Pick<PortSpec, 'protocol' | 'port'> {
  cidr: string;
}

/** @see https://firewalld.org/documentation/concepts.html (policies exist since 0.9) */
function firewalldFiles({ podCidr, open, node }: { podCidr: string; open: readonly Opening[]; node: boolean }): FileSpec[] {
  const forward = (name: 'from-pods' | 'to-pods', data: { short: string; ingress: string; egress: string }): FileSpec => ({
    path: firewalldPolicy(name),
    from: { template: 'forwarding/firewalld-forward.xml.hbs', data },
    mode: '0644',
  });
  return [
    {
      path: firewalldPolicy('nodes'),
      from: { template: 'forwarding/firewalld-nodes.xml.hbs', data: { rules: open } },
      mode: '0644',
    },
    ...(node
      ? [
          {
            path: firewalldZone,
            from: { template: 'forwarding/firewalld-zone.xml.hbs', data: { podCidr } },
            mode: '0644',
          },
          forward('from-pods', { short: 'Slipway from pods', ingress: 'slipway-pods', egress: 'ANY' }),
          forward('to-pods', { short: 'Slipway to pods', ingress: 'ANY', egress: 'slipway-pods' }),
        ]
      : []),
  ];
}
