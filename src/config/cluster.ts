import type { ArtefactName } from './artefact-names.ts';
/** The cluster as the rest of the program sees it: every default applied, everything that the file alone can tell checked. */
export interface Cluster {
  name: string;
  kubernetes: { version: string };
  hosts: readonly Host[];
  network: {
    podCidr: string;
    nodeCidrMaskSize: number;
    serviceCidr: string;
    /** Where nodes live; empty: derived from the hosts' addresses. */
    nodeCidrs: readonly string[];
    clusterDomain: string;
    flannel: { backend: 'vxlan' | 'host-gw' | 'wireguard' | 'udp'; store: 'kubernetes' | 'etcd'; mtu?: number | undefined };
    proxy: { mode: 'iptables' | 'nftables' | 'ipvs' };
    forwarding: 'scoped' | 'accept';
  };
  runtime: { kind: 'containerd'; registryMirrors: readonly RegistryMirror[] };
  api: { endpoint: 'node-local' | { host: string; port: number }; certSANs: readonly string[] };
  artifacts: ArtifactsConfig;
  addons: { coredns: boolean; metricsServer: boolean; manifests: readonly string[] };
  rollout: {
    /** How many nodes may be away at once while what they run changes: a number, or a percentage such as `10%`. */
    maxUnavailable: number | string;
  };
  /** Extra flags: components.NAME.args in the file. */
  components: Readonly<Record<string, { args: Readonly<Record<string, string>> }>>;
}

export interface RegistryMirror {
  /** Registry that is mirrored, e.g. docker.io. */
  registry: string;
  endpoints: readonly string[];
}

/** Where an artefact comes from on its own: everything but a bundle, which has all of them or none. */
export type ArtefactOrigin = 'auto' | 'release' | 'go' | { mirror: string };

export interface ArtifactsConfig {
  source: ArtefactOrigin | { bundle: string };
  /** By name of the artefact; the others come from `source`. */
  overrides: Readonly<Partial<Record<ArtefactName, ArtefactOrigin>>>;
}

export type Role = 'control-plane' | 'etcd' | 'worker';

export interface Host {
  /** As in the file; when the file has none, the address, until facts give the hostname. */
  name: string;
  /** Whether the file gave the name. */
  named: boolean;
  /** Where SSH connects to. */
  address: string;
  /** The address that the cluster's own traffic uses; undefined: `address` when it is an IP address, else from facts. */
  privateAddress?: string | undefined;
  /** Network interface for flannel; undefined: by the route to the other nodes. */
  interface?: string | undefined;
  roles: readonly Role[];
  labels: Readonly<Record<string, string>>;
  taints: readonly Taint[];
  ssh: SshConfig;
}

export interface Taint {
  key: string;
  value: string;
  effect: 'NoSchedule' | 'PreferNoSchedule' | 'NoExecute';
}

/** The cluster file's ssh section merged with the host's own. */
export interface SshConfig {
  user?: string | undefined;
  port?: number | undefined;
  identityFile?: string | undefined;
  become: 'sudo' | 'none';
  hostKeys: 'strict' | 'accept-new' | 'off';
  knownHosts?: string | undefined;
  /** `[user@]host[:port]`, from the operator outwards. */
  jump: readonly string[];
}
