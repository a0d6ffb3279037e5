import type { Component } from './component.ts';
import { containerdPlace } from './containerd.ts';
import { clientCertificate, kubeconfig } from './kubernetes-client.ts';
import {
  BIN,
  dnsServiceAddress,
  isNode,
  nodeAddress,
  isRenamed,
  nodeApiServer,
  nodeTaints,
  PKI,
  tlsCipherSuites,
  UNITS,
} from './topology.ts';

const DROP_INS = '/var/lib/kubelet/config.d';

export const kubelet: Component = {
  name: 'kubelet',
  summary: 'The agent that runs a node’s pods.',
  runsOn: isNode,
  rollout: 'batches',
  ownedPaths: ['/var/lib/kubelet/config.yaml', DROP_INS, `${UNITS}/kubelet.service`],
  sharedPaths: ['/var/lib/kubelet'],
  declare({ cluster, host, facts }) {
    const runtime = containerdPlace(facts);
    const identity = { name: 'kubelet', user: `system:node:${host.name}`, groups: ['system:nodes'], server: nodeApiServer(cluster) };
    return {
      artefacts: ['kubelet'],
      directories: [
        { path: '/var/lib/kubelet', mode: '0700' },
        { path: DROP_INS, mode: '0700' },
      ],
      files: [
        kubeconfig(identity),
        {
          path: '/var/lib/kubelet/config.yaml',
          from: {
            template: 'kubelet/config.yaml.hbs',
            data: {
              endpoint: `unix://${runtime.socket}`,
              authority: `${PKI}/ca.crt`,
              certificate: `${PKI}/kubelet-server.crt`,
              key: `${PKI}/kubelet-server.key`,
              cipherSuites: tlsCipherSuites,
              clusterDomain: cluster.network.clusterDomain,
              clusterDns: dnsServiceAddress(cluster),
              address: nodeAddress(host),
              cgroupDriver: facts.kernelFeatures.cgroup === 2 ? 'systemd' : 'cgroupfs',
              cgroupV1: facts.kernelFeatures.cgroup === 1,
              resolvConf: facts.resolvConf.path,
            },
          },
        },
        {
          path: `${DROP_INS}/10-taints.conf`,
          // Only a node that registers has them from here, before its first pod; later they change through the API.
          reloaded: true,
          from: { template: 'kubelet/taints.conf.hbs', data: { taints: nodeTaints(host) } },
        },
      ],
      certificates: [
        // The first identity; from then on the kubelet rotates it under /var/lib/kubelet/pki.
        { ...clientCertificate(identity), authority: 'kubelet-client' },
        {
          name: 'kubelet-server',
          authority: 'kubernetes',
          commonName: `system:node:${host.name}`,
          organizations: ['system:nodes'],
          usages: ['server'],
          dnsNames: [host.name],
          ipAddresses: [nodeAddress(host)],
          certificatePath: `${PKI}/kubelet-server.crt`,
          keyPath: `${PKI}/kubelet-server.key`,
          owner: 'root:root',
        },
      ],
      unit: {
        name: 'kubelet.service',
        path: `${UNITS}/kubelet.service`,
        template: 'kubelet/kubelet.service.hbs',
        makes: ['/var/log/pods', '/var/log/containers', '/usr/libexec/kubernetes'],
        data: {
          binary: `${BIN}/kubelet`,
          path: `${BIN}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
          runtime: runtime.unit,
        },
        flags: [
          { name: 'config', value: '/var/lib/kubelet/config.yaml' },
          { name: 'config-dir', value: DROP_INS },
          { name: 'kubeconfig', value: '/etc/kubernetes/kubelet.conf' },
          ...(isRenamed(host, facts) ? [{ name: 'hostname-override', value: host.name }] : []),
          { name: 'node-ip', value: nodeAddress(host) },
          // Deprecated, and without a successor: cAdvisor, which is in the kubelet, would talk to the other containerd.
          ...(facts.containerdBeside ? [{ name: 'containerd', value: runtime.socket }] : []),
        ],
      },
      ports: [
        {
          port: 10250,
          pods: true,
          protocol: 'tcp',
          // metrics-server asks every kubelet, from whatever node it runs on.
          from: cluster.addons.metricsServer ? 'nodes' : 'control-plane',
          purpose: 'kubelet API: logs, exec, metrics',
        },
        { port: 10248, protocol: 'tcp', from: 'local', purpose: 'kubelet health' },
      ],
      health: { scheme: 'http', port: 10248, path: '/healthz' },
    };
  },
};
