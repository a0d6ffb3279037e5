import type { Component, PortSpec } from './component.ts';
import { clientCertificate, kubeconfig } from './kubernetes-client.ts';
import { BIN, isNode, nodeAddress, nodeApiServer, UNITS } from './topology.ts';

const CONFIG = '/etc/flannel';

export const flanneld: Component = {
  name: 'flanneld',
  summary: 'The pod network; writes the node’s CNI configuration when the network is up.',
  runsOn: isNode,
  owns: [CONFIG, `${UNITS}/flanneld.service`, '/etc/cni/net.d/10-slipway.conflist'],
  declare({ cluster, host }) {
    const identity = { name: 'flannel', user: 'slipway-flannel', server: nodeApiServer(cluster) };
    const { backend, mtu } = cluster.network.flannel;
    return {
      artefacts: ['flanneld'],
      directories: [{ path: CONFIG, mode: '0700' }],
      files: [
        kubeconfig(identity, `${CONFIG}/kubeconfig`),
        {
          path: `${CONFIG}/net-conf.json`,
          from: {
            template: 'flanneld/net-conf.json.hbs',
            data: { podCidr: cluster.network.podCidr, backend, ...(mtu === undefined ? {} : { mtu }) },
          },
        },
        { path: `${CONFIG}/write-cni-config`, from: { template: 'flanneld/write-cni-config.sh.hbs', data: {} }, mode: '0700' },
      ],
      certificates: [clientCertificate(identity)],
      unit: {
        name: 'flanneld.service',
        path: `${UNITS}/flanneld.service`,
        template: 'flanneld/flanneld.service.hbs',
        makes: ['/run/flannel'],
        data: { binary: `${BIN}/flanneld`, node: host.name, writeCniConfig: `${CONFIG}/write-cni-config` },
        flags: [
          { name: 'kube-subnet-mgr', value: 'true' },
          { name: 'kubeconfig-file', value: `${CONFIG}/kubeconfig` },
          { name: 'net-config-path', value: `${CONFIG}/net-conf.json` },
          ...(host.interface === undefined ? [] : [{ name: 'iface', value: host.interface }]),
          { name: 'public-ip', value: nodeAddress(host) },
          { name: 'ip-masq', value: 'true' },
          // The forwarding component does it, in a chain of its own and at the right place.
          { name: 'iptables-forward-rules', value: 'false' },
        ],
      },
      ports: ports(backend),
    };
  },
};

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
