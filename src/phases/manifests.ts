import { parseAllDocuments } from 'yaml';
import { KUBECTL } from '../components/topology.ts';
import { sha256 } from '../engine/actions/file.ts';
import type { ScriptAction } from '../engine/step.ts';

const KINDS = 'serviceaccounts,configmaps,services,deployments,daemonsets,clusterroles,clusterrolebindings,roles,rolebindings,apiservices';

/**
 * Prints what of ours is in the cluster: `Kind/namespace/name` of every object with our label, and `applied NAME DIGEST` for every
 * manifest as it was last applied.
 */
export const OBJECTS_PROBE = {
  name: 'objects',
  script: `[ -f /etc/kubernetes/super-admin.conf ] || exit 0
timeout 8 ${KUBECTL} get ${KINDS} -A -l app.kubernetes.io/managed-by=slipway --request-timeout=5s -o go-template='{{range .items}}{{.kind}}/{{with .metadata.namespace}}{{.}}{{end}}/{{.metadata.name}}{{"\\n"}}{{if and (eq .kind "ConfigMap") (eq .metadata.name "slipway")}}{{range $k, $v := .data}}applied {{$k}} {{$v}}{{"\\n"}}{{end}}{{end}}{{end}}'`,
};

/** Shell text that runs a command until it succeeds, for this many seconds at least; then fails with the command's last words. */
export function untilDone(command: string, seconds: number): string {
  return `s_end=$(( $(cut -d. -f1 /proc/uptime) + ${seconds} ))
until s_said=$(${command} 2>&1); do
  [ "$(cut -d. -f1 /proc/uptime)" -lt "$s_end" ] || { printf '%s\\n' "$s_said"; exit 1; }
  sleep 0.5
done`;
}

/** Applies a manifest by server-side apply, and records its digest in the cluster so that it is applied again only when it changed. */
export function applyManifest(name: string, text: string): ScriptAction {
  const digest = sha256(text);
  const objects = parseAllDocuments(text)
    .map((document) => document.toJS() as { kind: string; metadata: { name: string; namespace?: string } } | null)
    .filter((object) => object !== null);
  const end = `SLIPWAY_${digest.slice(0, 16)}`;
  return {
    kind: 'script',
    // A new API server makes its own namespaces and roles in its first second.
    script: `s_apply() {
${KUBECTL} apply --server-side --force-conflicts --field-manager=slipway-${name} -f - <<'${end}'
${text}
---
apiVersion: v1
kind: ConfigMap
metadata: { name: slipway, namespace: kube-system, labels: { app.kubernetes.io/managed-by: slipway } }
data: { ${name}: "${digest}" }
${end}
}
${untilDone('s_apply', 60)}`,
    done: {
      probe: OBJECTS_PROBE.name,
      lines: [`applied ${name} ${digest}`, ...objects.map(({ kind, metadata }) => `${kind}/${metadata.namespace ?? ''}/${metadata.name}`)],
    },
  };
}
