/** The certificate authorities of a cluster; each signs one kind of trust. `kubelet-client` is the one whose key goes to the control planes. */
export type Authority = 'etcd' | 'kubernetes' | 'front-proxy' | 'kubelet-client';

export interface CertificateSpec {
  /** Unique on its host: `etcd-server`, `kube-apiserver`, ... */
  name: string;
  authority: Authority;
  commonName: string;
  organizations: readonly string[];
  usages: readonly ('server' | 'client')[];
  dnsNames: readonly string[];
  ipAddresses: readonly string[];
  /** Where the two files go on the host. */
  certificatePath: string;
  keyPath: string;
  owner: string;
  /** Days; default 365. */
  validDays?: number;
}

/** What the operator knows of something issued: never its bytes. Kept in the state directory. */
export interface Issued {
  /** sha256 of the specification it was issued for. */
  spec: string;
  /** The fields that the sha256 was made of, as text, so that a plan can name the one that changed. */
  issuedFor?: Readonly<Record<string, string>>;
  /** Counts issues under this name, from 1; part of the restart digest of what cannot reload. */
  generation: number;
  /** sha256 of the PEM files as delivered. */
  certificateSha256: string;
  keySha256: string;
  /** Milliseconds since 1970. */
  notAfter: number;
}

/** A secret document made once per cluster: encryption key, service-account key pair. */
export interface SecretRecord {
  generation: number;
  sha256: string;
}

/** The plan's view of the state directory. */
export interface Inventory {
  authorities: Partial<Record<Authority, { generation: number; certificateSha256: string; keySha256: string; notAfter: number }>>;
  /** Keyed `host/name`. */
  certificates: Readonly<Record<string, Issued>>;
  secrets: Readonly<Record<string, SecretRecord>>;
}
