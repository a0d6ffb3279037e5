import { nthAddress } from '../config/addresses.ts';
import type { Cluster, Host, Taint } from '../config/cluster.ts';
import { bug } from '../base/errors.ts';
import type { Facts } from '../facts/facts.ts';
import type { PortSpec } from './component.ts';

export const controlPlanes = (cluster: Cluster): Host[] => cluster.hosts.filter(isControlPlane);
export const etcdMembers = (cluster: Cluster): Host[] => cluster.hosts.filter(isEtcdMember);

/** Whether flannel keeps its leases in etcd, and so is a client of it on every node. */
export const leasesInEtcd = (cluster: Cluster): boolean => cluster.network.flannel.store === 'etcd';

export const isControlPlane = (host: Host): boolean => host.roles.includes('control-plane');
export const isEtcdMember = (host: Host): boolean => host.roles.includes('etcd');
/** Every control-plane host is also a node; a host with etcd alone is not. */
export const isNode = (host: Host): boolean => isControlPlane(host) || host.roles.includes('worker');

/** Whether its hostname was changed since it was installed: the node keeps its name. The others have none to override (CIS 4.2.7). */
export const isRenamed = (host: Host, { hostname, cluster }: Facts): boolean =>
  cluster?.host === host.name && hostname.toLowerCase() !== host.name;

/** What keeps ordinary pods off a control plane that is not a worker too. */
export const CONTROL_PLANE_TAINT: Taint = { key: 'node-role.kubernetes.io/control-plane', value: '', effect: 'NoSchedule' };

/** All taints that the cluster file means the node to have. */
export const nodeTaints = (host: Host): Taint[] => [
  ...(isControlPlane(host) && !host.roles.includes('worker') ? [CONTROL_PLANE_TAINT] : []),
  ...host.taints,
];

/** The hosts of the cluster that connect to a port of a component on others; what else `anyone` may be does not belong to the cluster. */
export function connecting(cluster: Cluster, from: PortSpec['from']): Host[] {
  switch (from) {
    case 'local':
      return [];
    case 'control-plane':
      return controlPlanes(cluster);
    case 'etcd':
      return etcdMembers(cluster);
    case 'nodes':
      return cluster.hosts.filter(isNode);
    case 'anyone':
      // Only the API: a load balancer of the user's own stands between it and the nodes.
      return cluster.api.endpoint === 'node-local' ? cluster.hosts.filter(isNode) : [];
  }
}

/** The address that the cluster's own traffic uses. Normalised clusters have one for every host. */
export function nodeAddress(host: Host): string {
  if (host.privateAddress === undefined) throw bug(`${host.name} has no private address: the cluster is not normalised`);
  return host.privateAddress;
}

/** Where other hosts reach its member of etcd as clients. */
export const etcdClientUrl = (host: Host): string => `https://${nodeAddress(host)}:2379`;

/** The Service `kubernetes` in `default` has the first address of the range (kube-apiserver's own rule). */
export const apiServiceAddress = (cluster: Cluster): string => nthAddress(cluster.network.serviceCidr, 1);
/** By convention of kubeadm the tenth. */
export const dnsServiceAddress = (cluster: Cluster): string => nthAddress(cluster.network.serviceCidr, 10);

/** What nodes talk to: a load balancer of the user's own, or the one on each node. */
export function nodeApiServer(cluster: Cluster): string {
  const { endpoint } = cluster.api;
  return endpoint === 'node-local' ? `https://127.0.0.1:${API_ENDPOINT_PORT}` : `https://${endpoint.host}:${endpoint.port}`;
}

/** What runs on a control plane talks to the API server beside it. */
export const localApiServer = `https://127.0.0.1:6443`;

export const API_ENDPOINT_PORT = 6444;
export const BIN = '/opt/slipway/bin';
/** kubectl with rights that no binding can take away; only on control planes. Its cache is not left in somebody's home. */
export const KUBECTL = `${BIN}/kubectl --kubeconfig=/etc/kubernetes/super-admin.conf --cache-dir=/run/slipway/kubectl`;
export const PKI = '/etc/kubernetes/pki';
export const UNITS = '/etc/systemd/system';

/** TLS suites of CIS 1.2.29 and 4.2.12; TLS 1.3 suites are not configurable in Go. */
export const tlsCipherSuites: readonly string[] = [
  'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256',
  'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256',
  'TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384',
  'TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384',
  'TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305',
  'TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305',
];
