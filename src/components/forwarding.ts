import { dirname } from 'node:path';
import type { Component, FileSpec, PackageUse, PortSpec } from './component.ts';
import { isNode, UNITS } from './topology.ts';

const CONFIG = '/etc/slipway/forwarding';
const APPLY = `${CONFIG}/apply`;

/** Units that set up rules of their own, and take away or overrule ours while they do. */
const dropIns = ['docker.service', 'nftables.service'];
const dropIn = (unit: string): string => `${UNITS}/${unit}.d/slipway.conf`;

const FIREWALLD = '/etc/firewalld';
const FIREWALLD_FILES = [
  `${FIREWALLD}/zones/slipway-pods.xml`,
  ...['nodes', 'from-pods', 'to-pods'].map((name) => `${FIREWALLD}/policies/slipway-${name}.xml`),
];

/** What it needs of the distribution. */
export const forwardingPackages: readonly PackageUse[] = [{ name: 'iptables', provides: ['iptables'] }];

/** Hosts that drop by default (docker, firewalls) are normal; only the cluster's own traffic is let through. Nothing is ever stopped or flushed. */
export const forwarding: Component = {
  name: 'forwarding',
  summary: 'Lets pod traffic and the ports of the cluster pass the host’s firewall, and goes on doing so whatever firewalls flush.',
  runsOn: () => true,
  owns: [`${UNITS}/slipway-forwarding.service`, ...dropIns.map((unit) => dirname(dropIn(unit))), ...FIREWALLD_FILES],
  declare({ cluster, host, facts, ports }) {
    const node = isNode(host);
    const { podCidr, nodeCidrs } = cluster.network;
    const open = ports()
      .filter(({ from }) => from !== 'local')
      .flatMap(({ port, protocol, pods }) => [...nodeCidrs, ...(pods ? [podCidr] : [])].map((cidr) => ({ cidr, protocol, port })));
    return {
      packages: node ? forwardingPackages : [],
      directories: [CONFIG, ...dropIns.map((unit) => dirname(dropIn(unit)))].map((path, i) => ({
        path,
        mode: i === 0 ? '0700' : '0755',
      })),
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
          path: dropIn(unit),
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
  const forward = (name: string, data: { short: string; ingress: string; egress: string }): FileSpec => ({
    path: `${FIREWALLD}/policies/${name}.xml`,
    from: { template: 'forwarding/firewalld-forward.xml.hbs', data },
    mode: '0644',
  });
  return [
    {
      path: `${FIREWALLD}/policies/slipway-nodes.xml`,
      from: { template: 'forwarding/firewalld-nodes.xml.hbs', data: { rules: open } },
      mode: '0644',
    },
    ...(node
      ? [
          {
            path: `${FIREWALLD}/zones/slipway-pods.xml`,
            from: { template: 'forwarding/firewalld-zone.xml.hbs', data: { podCidr } },
            mode: '0644',
          },
          forward('slipway-from-pods', { short: 'Slipway from pods', ingress: 'slipway-pods', egress: 'ANY' }),
          forward('slipway-to-pods', { short: 'Slipway to pods', ingress: 'ANY', egress: 'slipway-pods' }),
        ]
      : []),
  ];
}
