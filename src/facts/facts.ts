/** What one host is, as read by the facts script in one round trip. Sizes in bytes, times in milliseconds since 1970 unless named otherwise. */
export interface Facts {
  hostname: string;
  os: { id: string; versionId: string; prettyName: string; like: readonly string[] };
  /** Go's names: amd64, arm64; anything else as uname prints it. */
  arch: string;
  kernel: string;
  /** The command of process 1. */
  init: string;
  systemdVersion: number;
  machineId: string;
  productUuid: string | undefined;
  bootId: string;
  cpus: number;
  memory: { total: number; available: number };
  /** Free space of the file systems that hold these directories (or their nearest existing parent). */
  disks: readonly { path: string; free: number; total: number }[];
  /** The host's clock, and the operator's at the moment the line arrived: their difference is the skew within one round trip. */
  clock: { host: number; operator: number };
  interfaces: readonly { name: string; mac: string; mtu: number; up: boolean; addresses: readonly { address: string; prefix: number }[] }[];
  routes: readonly { destination: string; via: string | undefined; device: string; source: string | undefined }[];
  /** For each peer address asked for: the way there, by `ip route get`. */
  routesTo: Readonly<Record<string, { device: string; source: string } | undefined>>;
  swap: readonly { device: string; size: number }[];
  kernelFeatures: {
    cgroup: 1 | 2;
    overlay: boolean;
    vxlan: boolean;
    bridgeNetfilter: boolean;
    wireguard: boolean;
    ipvs: boolean;
    nftables: boolean;
    /** Whether nf_conntrack_max can be written. */
    conntrackWritable: boolean;
    /** Whether a negative oom_score_adj can be set. */
    oomScoreAdjNegative: boolean;
    inotifyInstances: number;
  };
  iptables: { present: boolean; mode: 'nft' | 'legacy' | 'unknown'; version: string; forwardPolicy: 'ACCEPT' | 'DROP' | 'unknown' };
  firewall: { firewalld: boolean; ufw: boolean; docker: boolean; nftablesService: boolean };
  selinux: 'enforcing' | 'permissive' | 'disabled';
  listening: readonly { protocol: 'tcp' | 'udp'; address: string; port: number; process: string }[];
  /** The resolver file that pods should inherit: the real one where /etc/resolv.conf is systemd-resolved's stub. */
  resolvConf: { path: string; nameservers: readonly string[] };
  proxies: Readonly<Record<string, string>>;
  /** Commands that exist, of those that we ask about (zstd, gzip, tar, apt-get, dnf, zypper, modprobe, conntrack, ...). */
  commands: readonly string[];
  /** Traces of other installations: kubeadm, k3s, rke2, kubeasz, rancher, ... each with the path that shows it. */
  leftovers: readonly { of: string; path: string }[];
}
