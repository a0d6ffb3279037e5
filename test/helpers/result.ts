import { OBSERVER_LABEL } from '../../src/checks/verify/trial-script.ts';
import type { TestLab } from './lab.ts';

/**
 * What an installation amounts to: files with their modes and contents, units, users, objects in the cluster. Left out is what is
 * another in every installation: the cluster's name, keys, certificates and what holds them, digests that count how often a certificate was issued, and the number
 * of the lab's network.
 */
const RESULT = `lab=$(ip -4 -o addr show dev host0 | sed -n 's/.* inet \\([0-9]*\\.[0-9]*\\.[0-9]*\\)\\..*/\\1/p')
digest() { sed -e "s/$lab\\./LAB./g; s/@cluster@/CLUSTER/g" -e /SLIPWAY_INPUTS/d "$1" | sha256sum | cut -c 1-64; }
find /etc/kubernetes /etc/etcd /etc/slipway /etc/containerd /etc/flannel /etc/cni /etc/sysctl.d /etc/modules-load.d /opt/slipway /var/lib/slipway/state.json -printf '%y %m %u:%g %p %l\\n' 2>/dev/null | grep -v -e '/opt/slipway/.incoming' | sort
find /opt/slipway -type f ! -name .manifest -exec sha256sum {} + 2>/dev/null | sort -k 2
for f in $(find /etc/kubernetes /etc/etcd /etc/slipway /etc/containerd /etc/flannel /etc/sysctl.d /etc/modules-load.d -type f ! -name '*.crt' ! -name '*.key' ! -name '*.pub' ! -name encryption-config.yaml 2>/dev/null | sort); do echo "$(digest "$f") $f"; done
for u in etcd kube-apiserver kube-controller-manager kube-scheduler api-endpoint containerd kubelet flanneld kube-proxy slipway-forwarding; do
  f=$(systemctl show -P FragmentPath $u); [ -n "$f" ] && digest "$f"
  systemctl show -p Id,LoadState,ActiveState $u
done
ls /etc/systemd/system/multi-user.target.wants; getent passwd etcd
cat /var/lib/slipway/before/directories; ls /var/lib/slipway/before`;

const OBJECTS = 'get namespaces,nodes,serviceaccounts,configmaps,services,deployments,clusterroles,clusterrolebindings -A -o name';

/** By host, and the objects in the cluster. A verification does not wait until its namespaces are gone. */
export async function resultOf(lab: TestLab): Promise<Record<string, string>> {
  await lab.kubectl(`wait --for=delete namespace -l ${OBSERVER_LABEL} --timeout=120s`);
  return { ...(await lab.everywhere(RESULT.replaceAll('@cluster@', lab.name))), objects: await lab.kubectl(OBJECTS) };
}
