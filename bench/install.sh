#!/usr/bin/env bash
# The oracle: a Kubernetes cluster from already built binaries over plain OpenSSH, by hand and in parallel. It is the yardstick for
# `slipway apply` (same work, same hosts) and knows nothing but the case that it measures: one control plane, root over SSH, Debian.
#
#   bench/install.sh --binaries DIR --key FILE --known-hosts FILE [--user root] [--state DIR] CONTROL_PLANE_ADDRESS WORKER_ADDRESS...
#
# DIR holds etcd etcdctl kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy kubectl containerd containerd-shim-runc-v2 ctr
# runc flanneld coredns pause (all static), and cni/ with the CNI plugins; optionally packages/ with HAProxy's .deb files for hosts that should not
# ask their mirror. On the first run compressed pieces and an image archive are made in DIR; that is not part of the times.
# Prints seconds since the start per milestone. The state directory gets the CAs and all keys. ORACLE_KEEP=1 keeps what was rendered.
set -euo pipefail
umask 077
here=$(cd "$(dirname "$0")/oracle" && pwd)

binaries='' key='' known_hosts='' user=root state=''
while [[ ${1-} == --* ]]; do
  case $1 in
    --binaries) binaries=$(realpath "$2") ;;
    --key) key=$(realpath "$2") ;;
    --known-hosts) known_hosts=$(realpath "$2") ;;
    --user) user=$2 ;;
    --state) mkdir -p "$2"; state=$(realpath "$2") ;;
    *) echo "unknown option $1" >&2; exit 3 ;;
  esac
  shift 2
done
[[ $binaries && $key && $known_hosts && $# -ge 1 ]] || { sed -n '5s/^# *//p' "$0" >&2; exit 3; }
addresses=("$@")
control_plane=$1

pod_cidr=10.244.0.0/16 service_cidr=10.96.0.0/16 api_service_address=10.96.0.1 dns_address=10.96.0.10
run=$(mktemp -d "${TMPDIR:-/tmp}/oracle.XXXXXX")
state=${state:-$(mktemp -d "${TMPDIR:-/tmp}/oracle-state.XXXXXX")}
pki=$state/pki
mkdir -p "$pki" "$run/rendered"
. "$here/pki.sh"

ssh_options=(-F none -i "$key" -o IdentitiesOnly=yes -o BatchMode=yes -o ConnectTimeout=10 -o UserKnownHostsFile="$known_hosts" -o StrictHostKeyChecking=yes
  -o ControlPath="$run/%h" -c aes128-gcm@openssh.com,aes256-gcm@openssh.com,chacha20-poly1305@openssh.com -l "$user")

# connect ADDRESS [FORWARD]: the one connection to a host. on ADDRESS COMMAND: over that connection.
connect() { ssh "${ssh_options[@]}" -M -N -f ${2:+-L "$2"} "$1" 2>>"$run/ssh.log"; }
on() { ssh "${ssh_options[@]}" "$1" "$2"; }

close() {
  local status=$? address
  [[ -z ${watcher-} ]] || kill "$watcher" 2>/dev/null || true
  for address in "${addresses[@]}"; do ssh "${ssh_options[@]}" -O exit "$address" >/dev/null 2>&1 || true; done
  # What was sent holds keys. ORACLE_KEEP=1 leaves it for study.
  [[ ${ORACLE_KEEP-} ]] && echo "kept: $run" >&2 || rm -rf "$run"
  exit "$status"
}
trap close EXIT
trap 'echo "a host failed" >&2; exit 1' TERM

# --- before the clock: what every install from these binaries shares ----------------------------------------------------------
# Each binary as a compressed piece of a tar archive. Pieces can be concatenated in any order: so is one stream per host made.
pieces=$binaries/.pieces
mkdir -p "$pieces"
[[ -e $binaries/images.tar ]] || "$here/images.sh" "$binaries" "$binaries/images.tar"

# piece NAME DIRECTORY_ON_THE_HOST FILE...
piece() {
  local name=$1 to=$2
  shift 2
  [[ ! $pieces/$name -ot $1 ]] && [[ -e $pieces/$name ]] && return
  # Without the two empty blocks that end an archive, so that more can follow.
  tar -h -b 1 --owner=0 --group=0 --mode='u=rwX,go=rX' --transform "s,.*/,$to/," -cPf - "$@" | head -c -1024 | zstd -q -f -8 -T0 -o "$pieces/$name"
}
for f in "$binaries"/*; do
  case ${f##*/} in
    cni | pause | coredns) ;;
    images.tar) piece images.tar var/lib/oracle "$f" ;;
    *) piece "${f##*/}" usr/local/bin "$f" ;;
  esac
done
piece cni opt/cni/bin "$binaries"/cni/*

# The order in which bytes are sent is the order in which they are needed. A name ending in : is a mark for start.sh.
first_order=(etcd kube-apiserver control-plane:)
control_plane_order=(kube-controller-manager kube-scheduler controllers: containerd containerd-shim-runc-v2 ctr runc containerd: images.tar images:
  kubelet flanneld cni kube-proxy node: kubectl etcdctl end:)
worker_order=(containerd containerd-shim-runc-v2 ctr runc containerd: images.tar images: kubelet flanneld cni kube-proxy node: end:)
for name in "${first_order[@]}" "${control_plane_order[@]}"; do
  [[ $name != *: ]] || { : >"$run/${name%:}"; rm -f "$pieces/$name"; piece "$name" run/oracle "$run/${name%:}"; }
done

# send ADDRESS NAME...
send() {
  local address=$1
  shift
  (cd "$pieces" && exec cat "$@") | on "$address" 'zstd -dc | tar -C / -b 128 -xf -'
}

# --- the clock ------------------------------------------------------------------------------------------------------------------
start=$EPOCHREALTIME
declare -A passed
milestone() {
  local micro=$((${EPOCHREALTIME/./} - ${start/./}))
  printf '%6.2f s  %s\n' "${micro}e-6" "$1"
}

cluster_pki & pki_job=$!

# What the API server needs goes first, to all: until it is there, nobody else's bytes matter.
deliver() {
  if [[ $2 == control-plane ]]; then
    send "$1" "${first_order[@]}"
    : >"$run/first.done"
    send "$1" "${control_plane_order[@]}"
  else
    while [[ ! -e $run/first.done ]]; do sleep 0.01; done
    send "$1" "${worker_order[@]}"
  fi
}

# Everything about one host up to started units; the caller runs one per host.
bring_up() {
  local address=$1 role=$2 jobs=()
  connect "$address" "${3-}"
  deliver "$address" "$role" & jobs+=($!)
  if compgen -G "$binaries/packages/*.deb" >/dev/null; then
    tar -C "$binaries/packages" -cf - . | on "$address" "packages=yes; $(<"$here/haproxy.sh")" & jobs+=($!)
  else
    on "$address" "packages=no; $(<"$here/haproxy.sh")" </dev/null & jobs+=($!)
  fi
  on "$address" sh <"$here/facts.sh" >"$run/facts.$address.new"
  mv "$run/facts.$address.new" "$run/facts.$address"
  while [[ ! -e $run/pki.done ]]; do sleep 0.01; done
  render "$address" "$role"
  tar -C "$run/rendered/$address" --owner=0 --group=0 -cf - -T "$run/files.$address" | on "$address" "role=$role; $(<"$here/start.sh")"
  [[ $role == worker ]] || milestone 'control plane started'
  wait "${jobs[@]}"
}

render() {
  local address=$1 role=$2 root=$run/rendered/$1
  local name cgroup_driver systemd_cgroup fail_cgroup_v1 restrict_oom conntrack_writable resolv_conf
  . "$run/facts.$address"
  cp -r "$here/files/all" "$root"
  local taints='[]' units=(containerd kubelet kube-proxy flanneld api-endpoint forwarding) oom_daemon=-999 oom_etcd=-998 conntrack='conntrack: {}'
  if [[ $role == control-plane ]]; then
    cp -r "$here/files/control-plane/." "$root"
    taints='[{ key: node-role.kubernetes.io/control-plane, effect: NoSchedule }]'
    units+=(kube-apiserver kube-controller-manager kube-scheduler)
  fi
  [[ $restrict_oom == false ]] || oom_daemon=0 oom_etcd=0
  [[ $conntrack_writable == true ]] || conntrack='conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s }'
  find "$root" -type f -exec sed -i \
    -e "s|@NAME@|$name|g; s|@ADDRESS@|$address|g; s|@CP_ADDRESS@|$control_plane|g; s|@POD_CIDR@|$pod_cidr|g; s|@SERVICE_CIDR@|$service_cidr|g" \
    -e "s|@DNS_ADDRESS@|$dns_address|g; s|@RESTRICT_OOM@|$restrict_oom|; s|@SYSTEMD_CGROUP@|$systemd_cgroup|; s|@CGROUP_DRIVER@|$cgroup_driver|" \
    -e "s|@FAIL_CGROUP_V1@|$fail_cgroup_v1|; s|@RESOLV_CONF@|$resolv_conf|; s|@TAINTS@|$taints|; s|@CONNTRACK@|$conntrack|; s|@TOKEN@|$token|" \
    -e "s|@ENCRYPTION_KEY@|$encryption_key|; s/@\(APISERVER\|CONTAINERD\|KUBELET\)_OOM@/$oom_daemon/; s/@ETCD_OOM@/$oom_etcd/" {} +

  local wants=$root/etc/systemd/system/multi-user.target.wants to=$root/etc/kubernetes/pki unit
  mkdir -p "$wants" "$to" "$root/var/lib/kubelet/pki"
  for unit in "${units[@]}"; do ln -s "/etc/systemd/system/$unit.service" "$wants/"; done
  node_pki "$name" "$address"
  cp "$pki/ca.crt" "$to/"
  cat "$pki/$name-api-endpoint.crt" "$pki/$name-api-endpoint.key" >"$root/etc/kubernetes/api-endpoint/client.pem"
  cat "$pki/$name-kubelet-client.crt" "$pki/$name-kubelet-client.key" >"$root/var/lib/kubelet/pki/kubelet-client-first.pem"
  ln -s kubelet-client-first.pem "$root/var/lib/kubelet/pki/kubelet-client-current.pem"
  cp "$pki/$name-kubelet.crt" "$root/var/lib/kubelet/pki/kubelet.crt"
  cp "$pki/$name-kubelet.key" "$root/var/lib/kubelet/pki/kubelet.key"
  kubeconfig "$root/etc/kubernetes/proxy.conf" https://127.0.0.1:6444 "$name-proxy"
  kubeconfig "$root/etc/kubernetes/flannel.conf" https://127.0.0.1:6444 "$name-flannel"
  kubeconfig "$root/etc/kubernetes/kubelet.conf" https://127.0.0.1:6444 "$name-kubelet-client"
  sed -i -e 's|client-certificate-data: .*|client-certificate: /var/lib/kubelet/pki/kubelet-client-current.pem|' \
    -e 's|client-key-data: .*|client-key: /var/lib/kubelet/pki/kubelet-client-current.pem|' "$root/etc/kubernetes/kubelet.conf"

  if [[ $role == control-plane ]]; then
    ln -s /usr/lib/systemd/system/etcd.service "$wants/"
    control_plane_pki "$name" "$address"
    mkdir -p "$root/etc/etcd/pki"
    cp "$pki/etcd-ca.crt" "$root/etc/etcd/pki/ca.crt"
    local pair
    for pair in server peer; do
      cp "$pki/etcd-$pair.crt" "$root/etc/etcd/pki/$pair.crt"
      cp "$pki/etcd-$pair.key" "$root/etc/etcd/pki/$pair.key"
    done
    cp "$pki"/{client-ca.crt,etcd-ca.crt,front-proxy-ca.crt,kubelet-client-ca.crt,kubelet-client-ca.key,sa.pub,sa.key} "$to/"
    cp "$pki"/{apiserver,apiserver-etcd-client,apiserver-kubelet-client,front-proxy-client}.{crt,key} "$to/"
    kubeconfig "$root/etc/kubernetes/admin.conf" https://127.0.0.1:6444 admin
    kubeconfig "$root/etc/kubernetes/super-admin.conf" https://127.0.0.1:6444 super-admin
    kubeconfig "$root/etc/kubernetes/controller-manager.conf" https://127.0.0.1:6443 controller-manager
    kubeconfig "$root/etc/kubernetes/scheduler.conf" https://127.0.0.1:6443 scheduler
  fi
  (cd "$root" && find . ! -type d) >"$run/files.$address"
}

token=$(openssl rand -hex 8)
encryption_key=$(openssl rand -base64 32)
api_socket=$run/api
jobs=()
# A host that fails ends it all.
host() (
  trap '[[ $? == 0 ]] || kill $$' EXIT
  bring_up "$@"
)
host "$control_plane" control-plane "$api_socket:127.0.0.1:6443" & jobs+=($!)
for address in "${addresses[@]:1}"; do host "$address" worker & jobs+=($!); done
wait "$pki_job"
: >"$run/pki.done"

# api ARGS...: curl at the API server through the first connection, as super-admin.
api() {
  curl -sS --unix-socket "$api_socket" --cacert "$pki/ca.crt" --cert "$pki/super-admin.crt" --key "$pki/super-admin.key" "$@"
}

# label NODE: its role, which a kubelet may not give to itself.
label() {
  local role=worker
  [[ ${address_of[$1]} != "$control_plane" ]] || role=control-plane
  api -f -o /dev/null -X PATCH -H 'Content-Type: application/merge-patch+json' "https://127.0.0.1:6443/api/v1/nodes/$1" \
    -d "{\"metadata\":{\"labels\":{\"node-role.kubernetes.io/$role\":\"\"}}}"
}

# compose DIRECTORY, put DIRECTORY: server-side apply of the manifests in it, over one connection. JSON, because the audit log cannot
# take a body in YAML.
compose() {
  local file path first=''
  while read -r file path; do
    sed "s|@DNS_ADDRESS@|$dns_address|g" "$here/manifests/$1/$file" >"$run/$file"
    printf '%s\n' ${first:+next} "unix-socket = \"$api_socket\"" "cacert = \"$pki/ca.crt\"" "cert = \"$pki/super-admin.crt\"" "key = \"$pki/super-admin.key\"" \
      "url = \"https://127.0.0.1:6443$path?fieldManager=slipway&force=true\"" 'request = PATCH' 'fail-with-body' \
      'header = "Content-Type: application/apply-patch+yaml"' "data-binary = \"@$run/$file\"" "output = \"$run/$file.answer\""
    first=no
  done <"$here/manifests/$1/addresses" >"$run/put.$1"
}
put() { until curl -sS --fail-early -K "$run/put.$1" 2>>"$run/put.log"; do sleep 0.1; done; }
compose 1-access
compose 2-dns

until api -f -o /dev/null --max-time 2 https://127.0.0.1:6443/readyz 2>/dev/null; do sleep 0.05; done
milestone 'API ready'
declare -A address_of
for address in "${addresses[@]}"; do address_of[$(sed -n 's/^name=//p' "$run/facts.$address")]=$address; done

put 1-access & jobs+=($!)

# Only now, because whoever asks earlier is refused, and waits: leader election 2-4 s, a kubelet's registration up to 7 s.
for address in "${addresses[@]}"; do
  units=kubelet
  [[ $address != "$control_plane" ]] || units+=' kube-controller-manager kube-scheduler'
  on "$address" "until [ -e /run/oracle/waiting-for-api ]; do sleep 0.02; done; systemctl start --no-block $units" </dev/null & jobs+=($!)
done

# The node watch: one line per event.
mkfifo "$run/events"
api -N 'https://127.0.0.1:6443/api/v1/nodes?watch=1' >"$run/events" 2>>"$run/watch.log" & watcher=$!
declare -A seen=() ready=()
while ((${#ready[@]} < ${#addresses[@]})) && read -r event; do
  [[ $event =~ \"metadata\":\{\"name\":\"([^\"]+)\" ]] || continue
  node=${BASH_REMATCH[1]}
  if [[ -z ${seen[$node]-} ]]; then
    seen[$node]=1
    milestone "  $node registered"
    label "$node" & jobs+=($!)
    # These two look for their node once and then wait a second (kube-proxy) or three (flanneld).
    on "${address_of[$node]}" 'systemctl start --no-block flanneld kube-proxy' </dev/null & jobs+=($!)
  fi
  if [[ -z ${ready[$node]-} && $event == *'"type":"Ready","status":"True"'* ]]; then ready[$node]=1; milestone "  $node Ready"; fi
done <"$run/events"
kill "$watcher"; watcher=''
milestone 'all nodes Ready'

# The control plane's import was left for now: it flushes to the disk that etcd waits for, and pods start on workers.
on "$control_plane" 'ctr -n k8s.io images import --local /var/lib/oracle/images.tar >/dev/null 2>&1' </dev/null & jobs+=($!)
((${#addresses[@]} > 1)) || wait "${jobs[-1]}"
put 2-dns & jobs+=($!)
rm "$run/events"; mkfifo "$run/events"
api -N 'https://127.0.0.1:6443/apis/apps/v1/namespaces/kube-system/deployments?watch=1&fieldSelector=metadata.name=coredns' >"$run/events" 2>>"$run/watch.log" & watcher=$!
while read -r event; do
  [[ $event != *'"readyReplicas":2'* ]] || break
done <"$run/events"
kill "$watcher"; watcher=''
milestone 'CoreDNS Ready'
wait "${jobs[@]}"
milestone 'everything delivered'
kubeconfig "$state/admin.conf" "https://$control_plane:6443" admin
echo "kubeconfig: $state/admin.conf"
