import type { Cluster } from '../config/cluster.ts';
import type { Component, PackageUse } from './component.ts';
import { clientCertificate, kubeconfig } from './kubernetes-client.ts';
import { BIN, isNode, isRenamed, nodeApiServer, UNITS } from './topology.ts';

const CONFIG = '/etc/kubernetes/kube-proxy';

/** What it runs itself; iptables come with forwarding. */
export function kubeProxyPackages({ network }: Cluster): readonly PackageUse[] {
  const { mode } = network.proxy;
  if (mode === 'nftables') return [{ name: 'nftables', provides: ['nft'] }];
  return mode === 'ipvs' ? [{ name: 'ipset', provides: ['ipset'] }] : [];
}

export const kubeProxy: Component = {
  name: 'kube-proxy',
  summary: 'Makes Service addresses work on every node.',
  runsOn: isNode,
  rollout: 'batches',
  ownedPaths: [`${UNITS}/kube-proxy.service`],
  declare({ cluster, host, facts }) {
    const identity = { name: 'kube-proxy', user: 'system:kube-proxy', server: nodeApiServer(cluster) };
    return {
      artefacts: ['kube-proxy'],
      packages: kubeProxyPackages(cluster),
      directories: [{ path: CONFIG, mode: '0700' }],
      files: [
        // Where kube-bench looks for it.
        kubeconfig(identity, '/etc/kubernetes/proxy.conf'),
        {
          path: `${CONFIG}/config.yaml`,
          from: {
            template: 'kube-proxy/config.yaml.hbs',
            data: {
              mode: cluster.network.proxy.mode,
              node: isRenamed(host, facts) ? host.name : undefined,
              podCidr: cluster.network.podCidr,
              conntrackFixed: !facts.kernelFeatures.conntrackWritable,
            },
          },
        },
      ],
      certificates: [clientCertificate(identity)],
      unit: {
        name: 'kube-proxy.service',
        path: `${UNITS}/kube-proxy.service`,
        template: 'kube-proxy/kube-proxy.service.hbs',
        data: { binary: `${BIN}/kube-proxy` },
        flags: [{ name: 'config', value: `${CONFIG}/config.yaml` }],
      },
      ports: [
        { port: 10249, protocol: 'tcp', from: 'local', purpose: 'kube-proxy metrics' },
        { port: 10256, protocol: 'tcp', from: 'local', purpose: 'kube-proxy health' },
      ],
      health: { scheme: 'http', port: 10256, path: '/healthz' },
    };
  },
};
