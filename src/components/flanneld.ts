import type { Cluster } from '../config/cluster.ts';
import type { Component, Flag, PortSpec } from './component.ts';
import { clientCertificate, kubeconfig } from './kubernetes-client.ts';
import { BIN, etcdClientUrl, etcdMembers, isNode, leasesInEtcd, nodeAddress, nodeApiServer, UNITS } from './topology.ts';

const CONFIG = '/etc/flannel';
const KUBECONFIG = `${CONFIG}/kubeconfig`;
const NETWORK = `${CONFIG}/net-conf.json`;

/** etcd as the store: `user` may read and write below `prefix`, and nothing else. */
export const etcdStore = {
  user: 'slipway-flannel',
  prefix: '/coreos.com/network',
  authority: `${CONFIG}/etcd-ca.crt`,
  certificate: `${CONFIG}/etcd.crt`,
  key: `${CONFIG}/etcd.key`,
} as const;

/** What net-conf.json is made of. */
export function flannelConfig(cluster: Cluster): Readonly<Record<string, unknown>> {
  const { podCidr, nodeCidrMaskSize, flannel } = cluster.network;
  // From the API every node's subnet comes with its size.
  return { podCidr, backend: flannel.backend, mtu: flannel.mtu, subnetLength: leasesInEtcd(cluster) ? nodeCidrMaskSize : undefined };
}

export const flanneld: Component = {
  name: 'flanneld',
  summary: 'The pod network; writes the node’s CNI configuration when the network is up.',
  runsOn: isNode,
  rollout: 'batches',
  ownedPaths: [CONFIG, `${UNITS}/flanneld.service`, '/etc/cni/net.d/10-slipway.conflist'],
  declare({ cluster, host }) {
    const identity = { name: 'flannel', user: 'slipway-flannel', server: nodeApiServer(cluster) };
    const inEtcd = leasesInEtcd(cluster);
    return {
      artefacts: ['flanneld'],
      directories: [{ path: CONFIG, mode: '0700' }],
      files: [
        ...(inEtcd ? [{ path: etcdStore.authority, from: { ref: 'authority:etcd' } } as const] : [kubeconfig(identity, KUBECONFIG)]),
        // In etcd a copy of it is what counts, and this one restarts flanneld when it changes.
        { path: NETWORK, from: { template: 'flanneld/net-conf.json.hbs', data: flannelConfig(cluster) } },
        { path: `${CONFIG}/write-cni-config`, from: { template: 'flanneld/write-cni-config.sh.hbs', data: {} }, mode: '0700' },
      ],
      certificates: inEtcd
        ? [
            {
              ...clientCertificate({ name: 'flannel-etcd', user: etcdStore.user }),
              authority: 'etcd',
              certificatePath: etcdStore.certificate,
              keyPath: etcdStore.key,
            },
          ]
        : [clientCertificate(identity)],
      unit: {
        name: 'flanneld.service',
        path: `${UNITS}/flanneld.service`,
        template: 'flanneld/flanneld.service.hbs',
        makes: ['/run/flannel'],
        data: { binary: `${BIN}/flanneld`, node: host.name, writeCniConfig: `${CONFIG}/write-cni-config` },
        restartOnRenewal: inEtcd ? ['flannel-etcd'] : [],
        flags: [
          ...(inEtcd ? etcdFlags(cluster) : apiFlags),
          ...(host.interface === undefined ? [] : [{ name: 'iface', value: host.interface }]),
          { name: 'public-ip', value: nodeAddress(host) },
          { name: 'ip-masq', value: 'true' },
          // The forwarding component does it, in a chain of its own and at the right place.
          { name: 'iptables-forward-rules', value: 'false' },
        ],
      },
      ports: ports(cluster.network.flannel.backend),
    };
  },
};

const apiFlags: readonly Flag[] = [
  { name: 'kube-subnet-mgr', value: 'true' },
  { name: 'kubeconfig-file', value: KUBECONFIG },
  { name: 'net-config-path', value: NETWORK },
];

function etcdFlags(cluster: Cluster): Flag[] {
  return [
    {
      name: 'etcd-endpoints',
      value: etcdMembers(cluster).map(etcdClientUrl).join(','),
    },
    { name: 'etcd-prefix', value: etcdStore.prefix },
    { name: 'etcd-cafile', value: etcdStore.authority },
    { name: 'etcd-certfile', value: etcdStore.certificate },
    { name: 'etcd-keyfile', value: etcdStore.key },
  ];
}

function ports(backend: string): PortSpec[] {
  switch (backend) {
    case 'vxlan':
      return [{ port: 8472, protocol: 'udp', from: 'nodes', purpose: 'pod network (vxlan)' }];
    case 'wireguard':
      return [{ port: 51820, protocol: 'udp', from: 'nodes', purpose: 'pod network (wireguard)' }];
    case 'udp':
      return [{ port: 8285, protocol: 'udp', from: 'nodes', purpose: 'pod network (udp)' }];
    default:
      return [];
  }
}
