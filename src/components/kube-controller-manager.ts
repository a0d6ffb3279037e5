import type { Component } from './component.ts';
import { clientCertificate, kubeconfig } from './kubernetes-client.ts';
import { BIN, isControlPlane, leasesInEtcd, localApiServer, PKI, UNITS } from './topology.ts';

const identity = { name: 'controller-manager', user: 'system:kube-controller-manager', server: localApiServer };
const CONFIG = `/etc/kubernetes/${identity.name}.conf`;

export const kubeControllerManager: Component = {
  name: 'kube-controller-manager',
  summary: 'The control loops; signs the kubelets’ renewed client certificates.',
  runsOn: isControlPlane,
  rollout: 'one-by-one',
  ownedPaths: [`${UNITS}/kube-controller-manager.service`],
  declare: ({ cluster }) => ({
    artefacts: ['kube-controller-manager'],
    files: [
      kubeconfig(identity),
      // The one CA whose key leaves the operator: it can sign kubelet identities, nothing else (docs/security.md).
      { path: `${PKI}/kubelet-client-ca.crt`, from: { ref: 'authority:kubelet-client' }, mode: '0644' },
      { path: `${PKI}/kubelet-client-ca.key`, from: { ref: 'authority-key:kubelet-client' } },
    ],
    certificates: [clientCertificate(identity)],
    unit: {
      name: 'kube-controller-manager.service',
      path: `${UNITS}/kube-controller-manager.service`,
      template: 'kube-controller-manager/kube-controller-manager.service.hbs',
      data: { binary: `${BIN}/kube-controller-manager` },
      flags: [
        { name: 'kubeconfig', value: CONFIG },
        { name: 'authentication-kubeconfig', value: CONFIG },
        { name: 'authorization-kubeconfig', value: CONFIG },
        { name: 'bind-address', value: '127.0.0.1' },
        { name: 'allocate-node-cidrs', value: String(!leasesInEtcd(cluster)) },
        { name: 'cluster-cidr', value: cluster.network.podCidr },
        { name: 'node-cidr-mask-size', value: String(cluster.network.nodeCidrMaskSize) },
        { name: 'service-cluster-ip-range', value: cluster.network.serviceCidr },
        { name: 'cluster-name', value: cluster.name },
        { name: 'cluster-signing-kubelet-client-cert-file', value: `${PKI}/kubelet-client-ca.crt` },
        { name: 'cluster-signing-kubelet-client-key-file', value: `${PKI}/kubelet-client-ca.key` },
        { name: 'controllers', value: '*' },
        { name: 'root-ca-file', value: `${PKI}/ca.crt` },
        { name: 'service-account-private-key-file', value: `${PKI}/service-account.key` },
        { name: 'use-service-account-credentials', value: 'true' },
        { name: 'terminated-pod-gc-threshold', value: '1000' },
        { name: 'profiling', value: 'false' },
        // The default of 20 requests a second makes the first minute of a cluster slow: every ServiceAccount and lease waits its turn.
        { name: 'kube-api-qps', value: '200' },
        { name: 'kube-api-burst', value: '400' },
      ],
    },
    ports: [{ port: 10257, protocol: 'tcp', from: 'local', purpose: 'controller-manager health and metrics' }],
    health: { scheme: 'https', port: 10257, path: '/healthz' },
  }),
};
