import { ETCDCTL } from '../../components/etcd.ts';
import { KUBECTL } from '../../components/topology.ts';
import type { Host } from '../../config/cluster.ts';
import type { Desired } from '../../engine/step.ts';
import { stateOf, type Context } from '../context.ts';
import { OBJECTS_PROBE, RECORD, UNREADABLE, untilDone } from '../manifests.ts';
import { foreignUnits } from './units.ts';
import { addonStep, apiStep } from '../step-ids.ts';

/** ConfigMaps that their owners write again when they are gone: the controller manager's and the API server's own, and ours. */
const REGENERATED = ['*/kube-root-ca.crt', 'kube-system/extension-apiserver-authentication'];
const OURS = ['slipway', 'slipway-cluster', RECORD, 'coredns'].map((name) => `kube-system/${name}`);

/**
 * What was written with the encryption key of another state directory cannot be read with ours. What somebody writes again by himself goes; our own
 * deployments start anew, because their pods trust the other authority. Planned where objects are unreadable now, or will be after stopForeign.
 */
export function dropUnreadable(context: Context, observer: Host): Desired[] {
  const unreadable = (stateOf(context, observer).probes[OBJECTS_PROBE.name] ?? '').split('\n').includes(UNREADABLE);
  if (!unreadable && foreignUnits(context, observer).length === 0) return [];
  return [
    {
      id: addonStep(observer, 'unreadable'),
      host: observer.name,
      summary: 'start cluster services anew, and drop what was encrypted with the key of another state directory',
      drift: true,
      action: { kind: 'script', script },
      lane: 'api',
      needs: [apiStep(observer)],
    },
  ];
}

// Last what tells that there is something to do: a run that ends before begins here again.
const script = `s_restart() { ${KUBECTL} -n kube-system rollout restart deployment -l app.kubernetes.io/managed-by=slipway; }
${untilDone('s_restart', 60)}
s_drop() {
  s_keys=$(${ETCDCTL} --command-timeout=10s get --prefix --keys-only /registry/configmaps/) || return
  for s_key in $s_keys; do
    s_name=\${s_key#/registry/configmaps/}
    case $s_name in ${[...REGENERATED, ...OURS].join(' | ')}) ;; *) continue ;; esac
    s_said=$(${KUBECTL} -n "\${s_name%%/*}" get configmap "\${s_name#*/}" --request-timeout=5s -o name 2>&1) && continue
    case $s_said in *InternalError*) ${ETCDCTL} --command-timeout=10s del "$s_key" || return ;; *NotFound*) ;; *) printf '%s\\n' "$s_said"; return 1 ;; esac
  done
}
${untilDone('s_drop', 60)}`;
