import type { CertificateSpec } from '../pki/types.ts';
import type { FileSpec } from './component.ts';
import { PKI } from './topology.ts';

export interface ClientIdentity {
  /** File names: /etc/kubernetes/NAME.conf and /etc/kubernetes/pki/NAME.{crt,key}. */
  name: string;
  user: string;
  groups?: readonly string[];
  server: string;
}

/** A client certificate signed by the cluster's CA. */
export function clientCertificate({ name, user, groups = [] }: Omit<ClientIdentity, 'server'>): CertificateSpec {
  return {
    name,
    authority: 'kubernetes',
    commonName: user,
    organizations: groups,
    usages: ['client'],
    dnsNames: [],
    ipAddresses: [],
    certificatePath: `${PKI}/${name}.crt`,
    keyPath: `${PKI}/${name}.key`,
    owner: 'root:root',
  };
}

/** A kubeconfig that names the key's file instead of holding it: a renewed certificate is read by the running client. */
export function kubeconfig({ name, user, server }: ClientIdentity, path = `/etc/kubernetes/${name}.conf`): FileSpec {
  return {
    path,
    from: {
      template: 'kubeconfig.hbs',
      data: { server, user, authority: `${PKI}/ca.crt`, certificate: `${PKI}/${name}.crt`, key: `${PKI}/${name}.key` },
    },
  };
}
