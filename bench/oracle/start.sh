# Takes the configuration on stdin, then starts each unit as soon as its binary has arrived. $role: control-plane or worker.
set -eu
umask 022
arrived() { while [ ! -e "/run/oracle/$1" ]; do sleep 0.03; done; }
if [ "$role" = control-plane ]; then
  id etcd >/dev/null 2>&1 || useradd --system --user-group --home-dir /var/lib/etcd --no-create-home --shell /usr/sbin/nologin etcd
  install -d -m 0700 -o etcd -g etcd /var/lib/etcd
fi
tar -C / -xf -
modprobe -qa overlay br_netfilter 2>/dev/null || true
sysctl -q -e -p /etc/sysctl.d/90-kubernetes.conf || true
# No daemon-reload: systemd reads unit files that it does not know yet when they are started, and a reload blocks it for half a second.
if [ "$role" = control-plane ]; then
  chown -R etcd:etcd /etc/etcd/pki
  chmod 0700 /etc/etcd/pki
  arrived control-plane
  systemctl start --no-block etcd kube-apiserver
fi
arrived containerd
systemctl start containerd
if [ "$role" = worker ]; then
  arrived images
  ctr -n k8s.io images import --local /var/lib/oracle/images.tar >/dev/null 2>&1
  : >/run/oracle/imported
fi
arrived haproxy
systemctl start --no-block api-endpoint forwarding
arrived node
: >/run/oracle/waiting-for-api
