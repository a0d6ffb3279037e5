/** What an installation of ours left on a host that tells of which cluster it was. */
export interface ClusterTraces {
  /** metadata.name, by the host's record. */
  name?: string | undefined;
  /** As which of its hosts it was installed, by its own record. */
  host?: string | undefined;
  /** 32 hex digits; missing on hosts of clusters that were installed before there were ids. */
  id?: string | undefined;
  /** sha256 of the certificate of the `kubernetes` authority. */
  authority?: string | undefined;
}

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
  /** Changes at every boot; in a container, whose kernel does not reboot with it, completed by the start of process 1. */
  bootId: string;
  /** Whether it is a container (nspawn, LXC, docker) whose kernel belongs to somebody else. Missing: it is not. */
  container?: string | undefined;
  cpus: number;
  memory: { total: number; available: number };
  /** Free space of the file systems that hold these directories (or their nearest existing parent). */
  disks: readonly {
    path: string;
    free: number;
    total: number;
    /** As in /proc/mounts: ext4, xfs, overlay, ... */
    type?: string | undefined;
    readOnly?: boolean | undefined;
    noexec?: boolean | undefined;
  }[];
  /** The host's clock, and the operator's at the moment the line arrived: their difference is the skew within one round trip. */
  clock: { host: number; operator: number };
  interfaces: readonly { name: string; mac: string; mtu: number; up: boolean; addresses: readonly { address: string; prefix: number }[] }[];
  /** The main IPv4 table. `destination` is `default` or a network with its prefix; `device` is empty for unreachable and blackhole routes. */
  routes: readonly { destination: string; via: string | undefined; device: string; source: string | undefined }[];
  /** For each peer address asked for: the way there, by `ip route get`. */
  routesTo: Readonly<Record<string, { device: string; source: string } | undefined>>;
  swap: readonly { device: string; size: number }[];
  /** What the kernel can do: by trying, or because the module is there to be loaded (then it is in `unloaded`). */
  kernelFeatures: {
    cgroup: 1 | 2;
    /** Enabled controllers: cpu, cpuset, memory, pids, ... */
    cgroupControllers?: readonly string[] | undefined;
    overlay: boolean;
    vxlan: boolean;
    bridgeNetfilter: boolean;
    wireguard: boolean;
    ipvs: boolean;
    nftables: boolean;
    tun?: boolean | undefined;
    /** Modules that exist and have not been loaded yet, of: vxlan, overlay, br_netfilter, wireguard, ip_vs, nf_tables. */
    unloaded?: readonly string[] | undefined;
    /** Whether nf_conntrack_max can be written. */
    conntrackWritable: boolean;
    /** Whether a negative oom_score_adj can be set. */
    oomScoreAdjNegative: boolean;
    inotifyInstances: number;
  };
  iptables: { present: boolean; mode: 'nft' | 'legacy' | 'unknown'; version: string; forwardPolicy: 'ACCEPT' | 'DROP' | 'unknown' };
  /** firewalld, ufw, nftablesService: active now or at the next boot; docker: its daemon is installed. */
  firewall: {
    firewalld: boolean;
    ufw: boolean;
    docker: boolean;
    nftablesService: boolean;
    /** Base chains whose policy is drop, iptables' own among them (`ip filter FORWARD`). */
    dropChains?: readonly { family: string; table: string; chain: string; hook: 'input' | 'forward' }[] | undefined;
  };
  selinux: 'enforcing' | 'permissive' | 'disabled';
  /** `address` is `*` for every address; `process` is empty for the kernel's own sockets (vxlan, wireguard) and where it cannot be told. */
  listening: readonly { protocol: 'tcp' | 'udp'; address: string; port: number; process: string }[];
  /** The resolver file that pods should inherit: the real one where /etc/resolv.conf is systemd-resolved's stub. */
  resolvConf: { path: string; nameservers: readonly string[] };
  /** http_proxy, https_proxy, no_proxy, all_proxy, as services would inherit them; user and password are replaced by `***`. */
  proxies: Readonly<Record<string, string>>;
  /** Commands that exist, of those that we ask about (zstd, gzip, tar, apt-get, dnf, zypper, modprobe, conntrack, ...). */
  commands: readonly string[];
  /** The cluster of ours that the host says it belongs to. */
  cluster?: ClusterTraces | undefined;
  /** Whether our containerd has a place of its own, because somebody else's has the usual one or had it when we came. */
  containerdBeside: boolean;
  /**
   * Traces of installations, each with the path that shows it: slipway (our own), kubeadm, k3s, rke2, kubeasz, rancher, ...; `kubernetes` is of unknown origin, or
   * ours; `unit` is a systemd
   * unit with the name of one of ours or a drop-in for it, `containerd` one of containerd's, `cni` a network configuration that the container runtime would read.
   */
  leftovers: readonly { of: string; path: string }[];
}
