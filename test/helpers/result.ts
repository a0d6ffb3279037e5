import type { TestLab } from './lab.ts';

/**
 * What an installation amounts to: files with their modes and contents, units, users, objects in the cluster. Left out is what is
 * another in every installation: keys, certificates and what holds them, and digests that count how often a certificate was issued.
 */
const RESULT = `find /etc/kubernetes /etc/etcd /etc/slipway /etc/containerd /etc/flannel /etc/cni /etc/sysctl.d /etc/modules-load.d /opt/slipway /var/lib/slipway/state.json -printf '%y %m %u:%g %p %l\\n' 2>/dev/null | grep -v -e '/opt/slipway/.incoming' | sort
find /etc/kubernetes /etc/etcd /etc/slipway /etc/containerd /etc/flannel /etc/sysctl.d /etc/modules-load.d /opt/slipway -type f ! -name '*.crt' ! -name '*.key' ! -name '*.pub' ! -name encryption-config.yaml ! -name .manifest -exec sha256sum {} + 2>/dev/null | sort -k 2
for u in etcd kube-apiserver kube-controller-manager kube-scheduler api-endpoint containerd kubelet flanneld kube-proxy slipway-forwarding; do
  f=$(systemctl show -P FragmentPath $u); [ -n "$f" ] && grep -v SLIPWAY_INPUTS "$f" | sha256sum
  systemctl show -p Id,LoadState,ActiveState $u
done
ls /etc/systemd/system/multi-user.target.wants; getent passwd etcd
cat /var/lib/slipway/before/directories; ls /var/lib/slipway/before`;

const OBJECTS = 'get namespaces,nodes,serviceaccounts,configmaps,services,deployments,clusterroles,clusterrolebindings -A -o name';

/** By host, and the objects in the cluster. */
export async function resultOf(lab: TestLab): Promise<Record<string, string>> {
  return { ...(await lab.everywhere(RESULT)), objects: await lab.kubectl(OBJECTS) };
}
