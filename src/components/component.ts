import type { ComponentVersions } from '../artifacts/catalogue.ts';
import type { Cluster, Host } from '../config/cluster.ts';
import type { Facts } from '../facts/facts.ts';
import type { Tool } from '../facts/os/index.ts';
import type { CertificateSpec } from '../pki/types.ts';

/** What a declaration is computed from; nothing else. */
export interface Input {
  cluster: Cluster;
  host: Host;
  facts: Facts;
  versions: ComponentVersions;
  /** What the components before this one listen on, on this host. */
  ports: readonly PortSpec[];
  /** References of images that components name, as the container runtime knows them. */
  images: { pause: string };
}

/**
 * A part of a cluster as data, without hooks. Every verb derives what it does from this: install writes the files and starts the unit,
 * preflight probes the ports, plan compares, reset removes.
 */
export interface Component {
  name: string;
  /** One sentence for readers. */
  summary: string;
  runsOn(host: Host, cluster: Cluster): boolean;
  /**
   * How a change reaches it on hosts where it serves: on one host after the other, or in batches of nodes, a single one first; each time only when it
   * serves again where it was changed before. Nothing of both has the turn of its host alone: what differs is replaced, and all of it is put back together.
   */
  rollout?: 'one-by-one' | 'batches';
  /** Directories and files that hold only what we wrote: listed at every gathering, removed by reset. */
  ownedPaths: readonly string[];
  /** Directories that others fill as well: looked at by themselves, not into. */
  sharedPaths?: readonly string[];
  declare(input: Input): Declaration;
}

export interface Declaration {
  /** Artefact names; their binaries are linked into /opt/slipway/bin. */
  artefacts?: readonly string[];
  /** By the name that the operating-system modules know. */
  packages?: readonly PackageUse[];
  user?: { name: string; home: string };
  directories?: readonly DirectorySpec[];
  files?: readonly FileSpec[];
  certificates?: readonly CertificateSpec[];
  /** Dotted keys; values as the kernel prints them. */
  sysctls?: Readonly<Record<string, string>>;
  /** Links besides the ones to binaries: path to target. */
  links?: Readonly<Record<string, string>>;
  unit?: UnitSpec;
  ports?: readonly PortSpec[];
  health?: HealthSpec;
}

export interface PackageUse {
  name: Tool;
  provides: readonly string[];
}

export interface DirectorySpec {
  path: string;
  mode: string;
  /** Default root:root. */
  owner?: string;
}

export interface FileSpec {
  path: string;
  /** A template under templates/ with its data, or a reference to something that the operator keeps. */
  from: { template: string; data: Readonly<Record<string, unknown>> } | { ref: Reference };
  /** Default 0600. */
  mode?: string;
  /** Default root:root. */
  owner?: string;
  /** The daemon reads it again by itself, so that a change restarts nothing. */
  reloaded?: boolean;
  /** Written only when missing. */
  once?: boolean;
}

/** `authority:NAME` and `authority-key:NAME`: a CA's certificate and key; `document:NAME`: made once per cluster and kept by the operator. */
export type Reference =
  `authority:${CertificateSpec['authority']}` | `authority-key:${CertificateSpec['authority']}` | `document:${DocumentName}`;
export type DocumentName = 'service-account.key' | 'service-account.pub' | 'encryption-config.yaml' | 'client-ca.crt' | 'cluster-id';

export interface UnitSpec {
  /** `NAME.service`. */
  name: string;
  /** Directory and name, e.g. /etc/systemd/system/kubelet.service. */
  path: string;
  template: string;
  data: Readonly<Record<string, unknown>>;
  flags?: readonly Flag[];
  /** Paths elsewhere that the daemon makes by itself: removed by reset unless they were there before. */
  makes?: readonly string[];
  /** Default 0600. */
  mode?: string;
  /** Certificates that the daemon does not read again by itself: a new one restarts it. */
  restartOnRenewal?: readonly string[];
}

/** A command-line flag, printed one per line. `since` and `until` (exclusive) are the Kubernetes versions that have it. */
export interface Flag {
  name: string;
  value: string;
  since?: string;
  until?: string;
}

export interface PortSpec {
  port: number;
  protocol: 'tcp' | 'udp';
  /** Who connects: `local` listens on the loopback only. */
  from: 'local' | 'nodes' | 'control-plane' | 'etcd' | 'anyone';
  /** Pods of the cluster connect to it as well, with addresses of their own when they are on the same host. */
  pods?: boolean;
  purpose: string;
}

/** Where the daemon says on its own host whether it is well, to anybody who asks: 200 means yes. */
export interface HealthSpec {
  scheme: 'http' | 'https';
  port: number;
  path: string;
}
