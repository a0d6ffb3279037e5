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
if [ "$role" = control-plane ]; then
  chown -R etcd:etcd /etc/etcd/pki
  chmod 0700 /etc/etcd/pki
  systemctl daemon-reload
  arrived control-plane
  systemctl start --no-block etcd kube-apiserver
  arrived controllers
  systemctl start --no-block kube-controller-manager kube-scheduler
else
  systemctl daemon-reload
fi
arrived containerd
systemctl start containerd
import() { arrived images; ctr -n k8s.io images import --local /var/lib/oracle/images.tar >/dev/null 2>&1; : >/run/oracle/imported; }
# Pods will start on workers first.
[ "$role" = control-plane ] || import
arrived haproxy
systemctl start --no-block api-endpoint forwarding
arrived node
[ "$role" = worker ] || import
