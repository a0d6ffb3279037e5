import { quote } from '../../base/quote.ts';
import { OPT, VAR } from '../../engine/state.ts';

/**
 * What gives a host back, as shell text that works from the host's own record under /var/lib/slipway (`owned`: every path that we wrote or that
 * our daemons make; `before/`: what was there), so that half an installation is undone like a whole one, and twice is like once.
 */

/** Whether anything of ours is there, and the packages that were installed. */
export const OURS_PROBE = {
  name: 'ours',
  script: `ls -d ${VAR}/owned ${OPT} 2>/dev/null | sed 's/^/path /'; sed 's/^/package /' ${VAR}/before/packages 2>/dev/null`,
};

/** All units at once but etcd, without which the API server would not end for a minute and a half. */
export const stopUnits = `
s_units=$(sed -nE 's#^.*/systemd/system/([^/]*\\.(service|timer))$#\\1#p' ${VAR}/owned 2>/dev/null | sort -u)
for s_u in $s_units; do SYSTEMD_OFFLINE=1 systemctl --quiet disable "$s_u" 2>/dev/null || :; done
for s_u in "$(echo "$s_units" | grep -vx etcd.service)" "$(echo "$s_units" | grep -x etcd.service)"; do
  [ -z "$s_u" ] || systemctl stop $s_u 2>/dev/null || :
done`;

/** Containers outlive their runtime: their processes, mounts, network namespaces and cgroups. */
export const endContainers = `
s_left() {
  find /proc -maxdepth 2 -name exe -lname '${OPT}/*' -printf '%h\\n' 2>/dev/null | sed 's|^/proc/||'
  find /sys/fs/cgroup -path '*kubepods*' -name cgroup.procs -exec cat {} + 2>/dev/null
}
s_n=0
while s_pids=$(s_left | sort -u) && [ -n "$s_pids" ]; do
  s_n=$((s_n + 1))
  [ $s_n -lt 300 ] || { echo "processes of pods do not end:"; ps -o pid=,args= -p "$(echo $s_pids | tr ' ' ,)"; exit 1; }
  kill -9 $s_pids 2>/dev/null || :
  sleep 0.1
done
# A pod's volume may be mounted below another one.
awk '$2 ~ "^/(var/lib/kubelet/|run/(slipway-)?containerd/io.containerd.[^/]*/k8s.io/|run/(slipway-)?containerd/io.containerd.grpc.v1.cri/|run/netns/cni-)" { print $2 }' /proc/self/mounts |
  sort -r | while read -r s_m; do s_m=$(printf %b "$s_m"); umount "$s_m" 2>/dev/null || umount -l "$s_m" || exit 1; done
rm -f /run/netns/cni-*
# Shims have their sockets here whatever containerd they are of; nobody listens any more on those of ours.
for s_s in /run/containerd/s/*; do grep -qsF "$s_s" /proc/net/unix || rm -f "$s_s"; done
rmdir /run/netns 2>/dev/null || :
# Where systemd makes the groups of pods, it keeps its slices without them.
systemctl stop kubepods.slice 2>/dev/null || :
find /sys/fs/cgroup -depth -type d -path '*kubepods*' -exec rmdir {} + 2>/dev/null || :`;

/** Links, routes and rules of flannel, kube-proxy, the kubelet, CNI plugins and ours; nobody else's rule is touched. */
export function undoNetwork(podCidr: string): string {
  return `
[ ! -x /etc/slipway/forwarding/apply ] || /etc/slipway/forwarding/apply --remove
# Started again before it is given back, a host would else make pods in the subnet of a node that is gone.
rm -f /run/flannel/subnet.env /etc/cni/net.d/10-slipway.conflist
for s_l in flannel.1 flannel0 flannel-wg cni0 kube-ipvs0; do ip link delete "$s_l" 2>/dev/null || :; done
ip -4 route show root ${quote(podCidr)} 2>/dev/null | while read -r s_r; do ip -4 route delete $s_r 2>/dev/null || :; done
# One transaction for each table: rules of others that lead into chains of ours go, then the chains.
s_clean='
function ours(chain) { return chain ~ /^(KUBE|FLANNEL|CNI|SLIPWAY)-/ }
/^\\*/ { table = $0; n = 0; print table; next }
/^:/ { name = substr($1, 2); if (ours(name)) { print ":" name " - [0:0]"; chains[++n] = name }; next }
/^-A / { if (ours($2)) next; rule = $0; gsub(/"[^"]*"/, "-"); for (i = 3; i <= NF; i++) if (($i == "-j" || $i == "-g") && ours($(i + 1))) { sub(/^-A/, "-D", rule); print rule; break }; next }
/^COMMIT/ { for (i = 1; i <= n; i++) print "-X " chains[i]; print }'
for s_t in iptables ip6tables; do
  command -v $s_t-save >/dev/null || continue
  s_rules=$($s_t-save 2>/dev/null | awk "$s_clean")
  case $s_rules in *-X*) printf '%s\\n' "$s_rules" | $s_t-restore -w --noflush || exit 1 ;; esac
done
[ ! -s ${VAR}/before/forward-policy ] || iptables -w $(cat ${VAR}/before/forward-policy)
if command -v nft >/dev/null; then
  for s_f in ip ip6; do nft delete table $s_f kube-proxy 2>/dev/null || :; done
fi`;
}

/** Every path as it was: contents, mode and owner, or gone. What lies on other file systems below is left alone. */
export const restoreFiles = `
s_before=${VAR}/before
s_was() { while read -r s_mode s_owner s_path; do [ "$s_path" = "$1" ] && return; done 2>/dev/null <$s_before/directories; }
sort -ru ${VAR}/owned 2>/dev/null | while read -r s_p; do
  case $s_p in ${VAR} | ${VAR}/* | ${OPT}/*) continue ;; /*/*) ;; *) continue ;; esac
  if [ -e "$s_before/files$s_p" ] || [ -L "$s_before/files$s_p" ]; then
    rm -rf --one-file-system -- "$s_p"
    mkdir -p "\${s_p%/*}"
    cp -a "$s_before/files$s_p" "$s_p"
  elif s_was "$s_p"; then
    if grep -qsxF -e "$s_p" $s_before/empty; then find "$s_p" -xdev -mindepth 1 -delete; fi
    [ ! -d "$s_p" ] || { chown "$s_owner" "$s_p"; chmod "$s_mode" "$s_p"; }
  else
    rm -rf --one-file-system -- "$s_p"
  fi
done
# Directories of others that we were the first to need: others may have come since.
for s_p in $(cat $s_before/made 2>/dev/null); do rmdir "$s_p" 2>/dev/null || :; done
rm -rf --one-file-system ${OPT}`;

/** Users, kernel parameters and modules, and units of others that had names of ours. */
export const restoreSystem = `
s_before=${VAR}/before
for s_u in $(cat $s_before/users 2>/dev/null); do
  ! getent passwd "$s_u" >/dev/null || userdel "$s_u"
  ! getent group "$s_u" >/dev/null || groupdel "$s_u"
done
if [ -f $s_before/sysctls ]; then
  while IFS='=' read -r s_k s_v; do
    s_k=/proc/sys/$(printf %s "$s_k" | tr . /)
    [ ! -e "$s_k" ] || printf '%s\\n' "$s_v" >"$s_k"
  done <$s_before/sysctls
fi
# What is in use stays by itself; but br_netfilter counts nobody, and another's bridges may rely on it by now.
for s_m in $(cat $s_before/modules 2>/dev/null); do
  [ "$s_m" != br_netfilter ] || ! ls -d /sys/class/net/*/bridge >/dev/null 2>&1 || continue
  modprobe -r "$s_m" 2>/dev/null || :
done
systemctl daemon-reload
systemctl reset-failed 2>/dev/null || :
if [ -f $s_before/units ]; then
  while read -r s_u s_enabled s_active; do
    [ "$s_enabled" != enabled ] || systemctl --quiet enable "$s_u" || :
    [ "$s_enabled" != masked ] || systemctl --quiet mask "$s_u" || :
    [ "$s_active" != active ] || systemctl start "$s_u" || :
  done <$s_before/units
fi`;

/** Last: from here on nothing tells that we were there. The run's lock leaves the rest when it ends. */
export const forget = `rm -rf ${VAR}`;
