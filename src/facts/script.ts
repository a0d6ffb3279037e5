import { quote } from '../base/quote.ts';

export interface FactsRequest {
  /** IP addresses of the other hosts, to learn the way to each; anything that is no IP address is ignored. */
  peers: readonly string[];
}

/** Directories whose file systems will hold what we install and what Kubernetes writes. */
const directories = ['/', '/opt', '/var/lib', '/var/lib/etcd', '/var/lib/containerd', '/var/lib/kubelet', '/var/log'];

/** Mount points that decide about those directories. */
const mountPoints = [...directories, '/usr', '/var', '/opt/slipway'];

const commands = [
  ...['apt-get', 'dnf', 'yum', 'zypper', 'tar', 'gzip', 'zstd', 'base64', 'sha256sum', 'flock', 'head', 'find', 'sed', 'grep', 'awk'],
  ...['mount', 'umount', 'nsenter', 'unshare', 'modprobe', 'sysctl', 'systemctl', 'journalctl', 'useradd', 'getent', 'runuser', 'setsid'],
  ...[
    'ip',
    'ss',
    'iptables',
    'ip6tables',
    'iptables-save',
    'iptables-restore',
    'ipset',
    'ipvsadm',
    'nft',
    'conntrack',
    'ethtool',
    'socat',
    'wg',
  ],
  ...['haproxy', 'curl', 'wget', 'docker', 'dockerd', 'podman', 'containerd', 'kubelet', 'kubeadm', 'firewall-cmd', 'ufw', 'setenforce'],
];

/**
 * What an installation of each kind leaves behind, as paths that only it makes. Our own (`slipway`) tell a host of ours from one that is somebody
 * else's.
 */
const traces: Readonly<Record<string, readonly string[]>> = {
  slipway: ['/var/lib/slipway', '/opt/slipway'],
  kubeadm: ['/etc/kubernetes/manifests/kube-apiserver.yaml', '/etc/kubernetes/manifests/etcd.yaml', '/var/lib/kubelet/kubeadm-flags.env'],
  // Ours too, once we have been there.
  kubernetes: [
    '/etc/kubernetes/admin.conf',
    '/etc/kubernetes/kubelet.conf',
    '/etc/kubernetes/pki',
    '/var/lib/etcd/member',
    '/var/lib/kubelet/pki',
  ],
  k3s: ['/etc/rancher/k3s', '/var/lib/rancher/k3s', '/usr/local/bin/k3s'],
  rke2: ['/etc/rancher/rke2', '/var/lib/rancher/rke2', '/usr/local/bin/rke2'],
  rancher: ['/opt/rke', '/var/lib/rancher/rke', '/etc/kubernetes/ssl/kube-ca.pem'],
  kubeasz: ['/etc/kubeasz', '/opt/kube/bin'],
  kubespray: ['/etc/kubernetes/kubeadm-config.yaml', '/etc/kubernetes/kubelet.env', '/etc/nginx-proxy'],
  kubekey: ['/etc/kubekey', '/usr/local/bin/kube-scripts'],
  sealos: ['/var/lib/sealos', '/root/.sealos'],
  k0s: ['/etc/k0s', '/var/lib/k0s', '/usr/local/bin/k0s'],
  microk8s: ['/var/snap/microk8s'],
  minikube: ['/var/lib/minikube'],
  openshift: ['/etc/origin', '/var/lib/microshift', '/etc/mcs-machine-config-content.json'],
};

/** One-line files that are facts themselves. */
const files = [
  '/proc/sys/kernel/hostname',
  '/proc/1/comm',
  '/proc/1/stat',
  '/etc/machine-id',
  '/sys/class/dmi/id/product_uuid',
  '/proc/sys/kernel/random/boot_id',
  '/run/systemd/container',
  '/sys/fs/selinux/enforce',
  '/proc/sys/fs/inotify/max_user_instances',
  '/sys/fs/cgroup/cgroup.controllers',
];

/** Names of our units; drop-ins for them count too, because they would change ours. */
const units = ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'containerd', 'kubelet', 'kube-proxy', 'flanneld'];

const modules = ['vxlan', 'overlay', 'br_netfilter', 'wireguard', 'ip_vs', 'nf_tables'];

/**
 * POSIX sh text that prints everything of Facts as sections of raw lines between `@facts begin` and `@facts end`; tools may be missing. It is
 * a subshell of its own, so that it may be put between other text: it does not exit, read standard input, leave names behind or change the host.
 * No line of it waits for the network.
 */
export function factsScript({ peers }: FactsRequest): string {
  const alternatives = modules.join('|');
  const ways = peers.filter((peer) => /^[\da-fA-F:.]+$/.test(peer)).map((peer) => `f_way ${quote(peer)}`);
  return `(
exec </dev/null 2>/dev/null
set +e +u +f
LC_ALL=C
PATH=$PATH:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
f_section() { printf '\\n@facts %s\\n' "$1"; }
f_say() { printf '%s %s\\n' "$1" "$2"; }
f_has() { command -v "$1" >/dev/null; }
f_section begin
printf '@facts clock %s\\n' "$(date +%s%3N)"

# read takes single bytes, and a number under /proc/sys gives only its first one that way: grep and cat take it whole.
f_section values
f_kernel=$(uname -r)
f_say kernel "$f_kernel"
f_say arch "$(uname -m)"
f_say cpus "$(nproc || grep -c '^processor' /proc/cpuinfo)"
f_has systemctl && f_say systemd "$(systemctl --version)"
f_iptables=
f_has iptables && f_iptables=$(iptables -V) && f_say iptables "$f_iptables"
[ -e /sys/fs/cgroup/cgroup.controllers ] && f_say cgroup 2
f_section files
grep -sH '' ${files.join(' ')}

f_section os
cat /etc/os-release || cat /usr/lib/os-release
f_section memory
head -n 5 /proc/meminfo || cat /proc/meminfo
f_section swaps
cat /proc/swaps
f_section cgroups
[ -e /sys/fs/cgroup/cgroup.controllers ] || cat /proc/cgroups

f_section disks
f_dirs=
for f_p in ${directories.join(' ')}; do
  f_e=$f_p
  while [ ! -e "$f_e" ]; do f_e=\${f_e%/*}; [ -n "$f_e" ] || f_e=/; done
  f_say "path $f_p" "$f_e"
  case " $f_dirs " in *" $f_e "*) ;; *) f_dirs="$f_dirs $f_e" ;; esac
done
stat -f -c 'size %n %S %a %b %T' $f_dirs
while read -r f_d f_p f_v f_options f_rest; do
  case $f_p in
    ${mountPoints.join('|')})
      for f_o in ro noexec; do case ,$f_options, in *,$f_o,*) f_v="$f_v $f_o" ;; esac; done
      f_say "mount $f_p" "$f_v" ;;
  esac
done </proc/self/mounts

f_section link
ip -o link show
f_section address
ip -o addr show
f_section route
ip -4 route show
f_way() { printf 'to %s ' "$1"; ip route get "$1" || echo; }
f_section ways
${ways.join('\n')}

f_section features
f_d=/lib/modules/$f_kernel
f_now=\$(grep -oE '^(${alternatives}) ' /proc/modules; grep -oE '/(${alternatives})[.]ko' "$f_d/modules.builtin")
f_later=
f_v=$(cat /proc/sys/kernel/modules_disabled)
[ "$f_v" = 1 ] || f_later=$(grep -oE '^[^:]*/(${alternatives})[.]ko' "$f_d/modules.dep")
# Usable without loading a module (0), by loading one (1), or nothing is known (2).
f_module() {
  case $f_now in "$1 "*|*"
$1 "*|*"/$1.ko"*) return 0 ;; esac
  case $f_later in *"/$1.ko"*) return 1 ;; esac
  return 2
}
# What a module would have to be loaded for is not tried but believed; the rest is tried at once in one network namespace.
f_believe() { f_module "$1"; [ $? = 1 ]; }
f_try='echo tried;'
f_link() { if f_believe "$1"; then f_say "$1" yes; else f_try="$f_try ip link add name sw$$ $2 && ip link del name sw$$ && echo $1 yes;"; fi; }
for f_v in ${modules.join(' ')}; do f_believe "$f_v" && f_say unloaded "$f_v"; done
f_link vxlan 'type vxlan id 4093 dstport 0'
f_link wireguard 'type wireguard'
if f_believe nf_tables || f_module nf_tables; then f_say nftables yes
elif f_has nft; then f_try="$f_try nft list tables >/dev/null && echo nftables yes;"
else case $f_iptables in *nf_tables*) f_try="$f_try iptables -S OUTPUT >/dev/null && echo nftables yes;" ;; esac
fi
f_v=$(unshare -n sh -c "$f_try")
case $f_v in tried*) ;; *) f_v=$(sh -c "$f_try") ;; esac
printf '%s\\n' "$f_v"
if f_believe overlay || grep -qw overlay /proc/filesystems; then f_say overlay yes
elif unshare -m sh -c 'mount -t tmpfs t /mnt && cd /mnt && mkdir l u w m && mount -t overlay o -o lowerdir=l,upperdir=u,workdir=w m'; then f_say overlay yes
fi
if [ -e /proc/sys/net/bridge/bridge-nf-call-iptables ] || f_believe br_netfilter; then f_say bridge yes; fi
[ -c /dev/net/tun ] && f_say tun yes
if [ -e /proc/net/ip_vs ] || f_believe ip_vs; then f_say ipvs yes; fi
f_c=/proc/sys/net/netfilter/nf_conntrack_max
if [ -e $f_c ]; then
  f_v=$(cat $f_c)
  [ -w $f_c ] && [ -n "$f_v" ] && ( echo "$f_v" >$f_c ) && f_say conntrack yes
elif [ ! -e /run/systemd/container ]; then f_say conntrack yes
fi
( echo -999 >/proc/self/oom_score_adj ) && f_say oom yes

f_section chains
if ! f_believe nf_tables; then
  if f_has nft; then nft list chains | sed -n -e '/^table/p' -e '/chain /h' -e '/type filter hook [if]/{x;p;x;p;}'
  else case $f_iptables in *nf_tables*) { iptables -S FORWARD; iptables -S INPUT; } | grep '^-P' ;; esac
  fi
fi
if grep -qx filter /proc/net/ip_tables_names; then
  f_l=iptables
  f_has iptables-legacy && f_l=iptables-legacy
  { $f_l -S FORWARD; $f_l -S INPUT; } | grep '^-P'
fi

f_section services
for f_u in firewalld ufw docker nftables; do
  for f_p in /etc/systemd/system/*.target.wants/$f_u.service; do [ -e "$f_p" ] && f_say "$f_u" enabled; done
done
[ -d /run/systemd/system ] && systemctl show -p Id -p ActiveState firewalld.service ufw.service docker.service nftables.service
grep -s '^ENABLED=' /etc/ufw/ufw.conf

f_section sockets
if f_has ss; then ss -lntup; else
  for f_p in tcp tcp6 udp udp6; do while read -r f_l; do f_say "$f_p" "$f_l"; done </proc/net/$f_p; done
fi

f_section resolv
for f_p in /etc/resolv.conf /run/systemd/resolve/resolv.conf; do [ -r $f_p ] && { f_say file $f_p; grep -E '^[[:space:]]*nameserver' $f_p; }; done
f_section proxies
{
  env | grep -iE '^(https?|no|all)_proxy='
  grep -hiE '(https?|no|all)_proxy=' /etc/environment /etc/systemd/system.conf /etc/systemd/system.conf.d/*.conf
} | sed 's|://[^/]*@|://***@|g'

f_section commands
for f_p in ${commands.join(' ')}; do f_has $f_p && echo $f_p; done
f_section cluster
grep -hoE '"(cluster|host)" *: *"[^"]*"' /var/lib/slipway/state.json
sed 's/^/id /' /var/lib/slipway/cluster-id
# Others have one at the same place.
[ -d /var/lib/slipway ] && sha256sum /etc/kubernetes/pki/ca.crt | sed 's/^/authority /'
grep -hoE '"(slipway-)?containerd.service"' /var/lib/slipway/state.json
f_section leftovers
${Object.entries(traces)
  .map(([of, paths]) => `for f_p in ${paths.join(' ')}; do [ -e $f_p ] && f_say ${of} $f_p; done`)
  .join('\n')}
f_dirs='/etc/systemd/system /usr/lib/systemd/system'
[ -L /lib ] || f_dirs="$f_dirs /lib/systemd/system"
for f_d in $f_dirs; do
  for f_u in ${units.join(' ')}; do
    case $f_u in containerd) f_k=containerd ;; *) f_k=unit ;; esac
    for f_p in $f_d/$f_u.service $f_d/$f_u.service.d/*.conf; do
      [ -f "$f_p" ] && ! grep -qi slipway "$f_p" && f_say $f_k "$f_p"
    done
  done
done
for f_p in /etc/cni/net.d/*.conf /etc/cni/net.d/*.conflist; do [ -f "$f_p" ] && f_say cni "$f_p"; done
f_section end
) || :
`;
}
