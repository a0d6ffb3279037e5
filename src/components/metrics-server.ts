import type { Cluster, Host } from '../config/cluster.ts';
import type { CertificateSpec } from '../pki/types.ts';
import { controlPlanes, PKI } from './topology.ts';

/** What metrics-server shows to the API server; on the control plane that applies its objects, from where it goes into a Secret. */
export function metricsServerCertificates({ cluster, host }: { cluster: Cluster; host: Host }): CertificateSpec[] {
  if (!cluster.addons.metricsServer || host.name !== controlPlanes(cluster)[0]!.name) return [];
  return [metricsServerCertificate];
}

export const metricsServerCertificate: CertificateSpec = {
  name: 'metrics-server',
  authority: 'kubernetes',
  commonName: 'metrics-server',
  organizations: [],
  usages: ['server'],
  dnsNames: ['metrics-server.kube-system.svc'],
  ipAddresses: [],
  certificatePath: `${PKI}/metrics-server.crt`,
  keyPath: `${PKI}/metrics-server.key`,
  owner: 'root:root',
};
