import type { Component, Flag } from './component.ts';
import { etcdServers } from './etcd.ts';
import { clusterAdmins, superAdmins } from './groups.ts';
import { clientCertificate, kubeconfig } from './kubernetes-client.ts';
import { metricsServerCertificates } from './metrics-server.ts';
import {
  apiServiceAddress,
  BIN,
  isControlPlane,
  isEtcdMember,
  KUBECTL,
  localApiServer,
  nodeAddress,
  PKI,
  tlsCipherSuites,
  UNITS,
} from './topology.ts';

const CONFIG = '/etc/kubernetes/apiserver';

export const kubeApiserver: Component = {
  name: 'kube-apiserver',
  summary: 'The cluster’s API; the only client of etcd.',
  runsOn: isControlPlane,
  rollout: 'one-by-one',
  ownedPaths: [`${UNITS}/kube-apiserver.service`],
  sharedPaths: ['/var/log/kubernetes'],
  declare({ cluster, host }) {
    const address = nodeAddress(host);
    const { endpoint, certSANs } = cluster.api;
    const isAddress = (name: string): boolean => /^[\d.]+$/.test(name);
    const names = [...certSANs, ...(endpoint === 'node-local' ? [] : [endpoint.host])];
    return {
      // etcdctl, where etcd itself is elsewhere.
      artefacts: ['kube-apiserver', 'kubectl', ...(isEtcdMember(host) ? [] : ['etcd'])],
      directories: [
        { path: CONFIG, mode: '0700' },
        { path: '/var/log/kubernetes', mode: '0700' },
      ],
      files: [
        { path: `${PKI}/client-ca.crt`, from: { ref: 'document:client-ca.crt' }, mode: '0644', reloaded: true },
        { path: `${PKI}/etcd-ca.crt`, from: { ref: 'authority:etcd' }, mode: '0644' },
        { path: `${PKI}/front-proxy-ca.crt`, from: { ref: 'authority:front-proxy' }, mode: '0644', reloaded: true },
        { path: `${PKI}/service-account.key`, from: { ref: 'document:service-account.key' } },
        { path: `${PKI}/service-account.pub`, from: { ref: 'document:service-account.pub' } },
        { path: `${CONFIG}/encryption-config.yaml`, from: { ref: 'document:encryption-config.yaml' }, reloaded: true },
        { path: `${CONFIG}/audit-policy.yaml`, from: { template: 'kube-apiserver/audit-policy.yaml.hbs', data: {} } },
        { path: `${CONFIG}/admission.yaml`, from: { template: 'kube-apiserver/admission.yaml.hbs', data: {} } },
        { ...kubeconfig({ name: 'admin', user: 'slipway-admin', server: localApiServer }), reloaded: true },
        { ...kubeconfig({ name: 'super-admin', user: 'slipway-super-admin', server: localApiServer }), reloaded: true },
      ],
      certificates: [
        {
          name: 'kube-apiserver',
          authority: 'kubernetes',
          commonName: 'kube-apiserver',
          organizations: [],
          usages: ['server'],
          dnsNames: [
            'kubernetes',
            'kubernetes.default',
            'kubernetes.default.svc',
            `kubernetes.default.svc.${cluster.network.clusterDomain}`,
            'localhost',
            host.name,
            ...names.filter((name) => !isAddress(name)),
            ...(isAddress(host.address) || host.address === host.name ? [] : [host.address]),
          ],
          ipAddresses: [
            ...new Set([
              '127.0.0.1',
              apiServiceAddress(cluster),
              address,
              ...names.filter(isAddress),
              ...(isAddress(host.address) ? [host.address] : []),
            ]),
          ],
          certificatePath: `${PKI}/apiserver.crt`,
          keyPath: `${PKI}/apiserver.key`,
          owner: 'root:root',
        },
        clientCertificate({ name: 'apiserver-kubelet-client', user: 'kube-apiserver-kubelet-client' }),
        // For people, and revocable; the other is for us and for the day when the bindings are broken.
        clientCertificate({ name: 'admin', user: 'slipway-admin', groups: [clusterAdmins] }),
        clientCertificate({ name: 'super-admin', user: 'slipway-super-admin', groups: [superAdmins] }),
        { ...clientCertificate({ name: 'front-proxy-client', user: 'front-proxy-client' }), authority: 'front-proxy' },
        { ...clientCertificate({ name: 'apiserver-etcd-client', user: 'kube-apiserver' }), authority: 'etcd' },
        ...metricsServerCertificates({ cluster, host }),
      ],
      unit: {
        name: 'kube-apiserver.service',
        path: `${UNITS}/kube-apiserver.service`,
        template: 'kube-apiserver/kube-apiserver.service.hbs',
        data: { binary: `${BIN}/kube-apiserver`, kubectl: KUBECTL },
        flags: flags(),
      },
      ports: [{ port: 6443, protocol: 'tcp', from: 'anyone', pods: true, purpose: 'Kubernetes API' }],
    };

    function flags(): Flag[] {
      return [
        { name: 'advertise-address', value: address },
        { name: 'bind-address', value: '0.0.0.0' },
        { name: 'secure-port', value: '6443' },
        { name: 'service-cluster-ip-range', value: cluster.network.serviceCidr },
        { name: 'etcd-servers', value: etcdServers(cluster, host) },
        { name: 'etcd-cafile', value: `${PKI}/etcd-ca.crt` },
        { name: 'etcd-certfile', value: `${PKI}/apiserver-etcd-client.crt` },
        { name: 'etcd-keyfile', value: `${PKI}/apiserver-etcd-client.key` },
        { name: 'encryption-provider-config', value: `${CONFIG}/encryption-config.yaml` },
        { name: 'encryption-provider-config-automatic-reload', value: 'true' },
        { name: 'tls-cert-file', value: `${PKI}/apiserver.crt` },
        { name: 'tls-private-key-file', value: `${PKI}/apiserver.key` },
        { name: 'tls-min-version', value: 'VersionTLS12' },
        { name: 'tls-cipher-suites', value: tlsCipherSuites.join(',') },
        { name: 'client-ca-file', value: `${PKI}/client-ca.crt` },
        // Which pods may be privileged is for PodSecurity to say, by namespace; without this none may, and no CSI driver or network plugin runs.
        { name: 'allow-privileged', value: 'true' },
        { name: 'anonymous-auth', value: 'false' },
        { name: 'authorization-mode', value: 'Node,RBAC' },
        { name: 'enable-admission-plugins', value: 'NodeRestriction,DenyServiceExternalIPs,EventRateLimit' },
        { name: 'admission-control-config-file', value: `${CONFIG}/admission.yaml` },
        { name: 'kubelet-certificate-authority', value: `${PKI}/ca.crt` },
        { name: 'kubelet-client-certificate', value: `${PKI}/apiserver-kubelet-client.crt` },
        { name: 'kubelet-client-key', value: `${PKI}/apiserver-kubelet-client.key` },
        // Names of nodes need not resolve from here.
        { name: 'kubelet-preferred-address-types', value: 'InternalIP,Hostname,InternalDNS,ExternalDNS,ExternalIP' },
        { name: 'requestheader-client-ca-file', value: `${PKI}/front-proxy-ca.crt` },
        { name: 'requestheader-allowed-names', value: 'front-proxy-client' },
        { name: 'requestheader-extra-headers-prefix', value: 'X-Remote-Extra-' },
        { name: 'requestheader-group-headers', value: 'X-Remote-Group' },
        { name: 'requestheader-username-headers', value: 'X-Remote-User' },
        { name: 'proxy-client-cert-file', value: `${PKI}/front-proxy-client.crt` },
        { name: 'proxy-client-key-file', value: `${PKI}/front-proxy-client.key` },
        { name: 'service-account-issuer', value: `https://kubernetes.default.svc.${cluster.network.clusterDomain}` },
        { name: 'service-account-key-file', value: `${PKI}/service-account.pub` },
        { name: 'service-account-signing-key-file', value: `${PKI}/service-account.key` },
        { name: 'service-account-lookup', value: 'true' },
        { name: 'service-account-extend-token-expiration', value: 'false' },
        { name: 'audit-policy-file', value: `${CONFIG}/audit-policy.yaml` },
        { name: 'audit-log-path', value: '/var/log/kubernetes/audit.log' },
        { name: 'audit-log-maxage', value: '30' },
        { name: 'audit-log-maxbackup', value: '10' },
        { name: 'audit-log-maxsize', value: '100' },
        { name: 'profiling', value: 'false' },
        { name: 'request-timeout', value: '300s' },
        { name: 'shutdown-delay-duration', value: '4s' },
        { name: 'shutdown-send-retry-after', value: 'true' },
      ];
    }
  },
};
