import { parseAllDocuments } from 'yaml';
import { quote } from '../base/quote.ts';
import { KUBECTL } from '../components/topology.ts';
import { sha256 } from '../engine/actions/file.ts';
import type { HostState } from '../engine/state.ts';
import type { ScriptAction } from '../engine/step.ts';

const KINDS = 'serviceaccounts,configmaps,services,deployments,daemonsets,clusterroles,clusterrolebindings,roles,rolebindings,apiservices';

/** The ConfigMap in kube-system that remembers what of spec.addons.manifests was applied. */
export const RECORD = 'slipway-manifests';

/** What the probe prints when objects are there that the API server cannot decrypt. */
export const UNREADABLE = 'unreadable';

/**
 * Prints what of ours is in the cluster: `Kind/namespace/name` of every object with our label, and `applied NAME DIGEST` for every
 * manifest as it was last applied. Of the user's own manifests: `manifests DIGEST`, every object that was applied as one line of JSON, and
 * `object VERSION KIND NAMESPACE/NAME` (without the namespace `default`) for each of them that is there.
 */
export const OBJECTS_PROBE = {
  name: 'objects',
  script: `[ -f /etc/kubernetes/super-admin.conf ] || exit 0
s_found=$(timeout 8 ${KUBECTL} get ${KINDS} -A -l app.kubernetes.io/managed-by=slipway --request-timeout=5s -o go-template='{{range .items}}{{.kind}}/{{with .metadata.namespace}}{{.}}{{end}}/{{.metadata.name}}{{"\\n"}}{{if and (eq .kind "ConfigMap") (eq .metadata.name "slipway")}}{{range $k, $v := .data}}applied {{$k}} {{$v}}{{"\\n"}}{{end}}{{end}}{{if and (eq .kind "ConfigMap") (eq .metadata.name "${RECORD}")}}{{with .data}}manifests {{.digest}}{{"\\n"}}{{.objects}}{{"\\n"}}{{end}}{{end}}{{end}}') ||
  case $(timeout 8 ${KUBECTL} -n kube-system get configmap kube-root-ca.crt --request-timeout=5s -o name 2>&1) in *InternalError*) echo ${UNREADABLE} ;; esac
printf '%s\\n' "$s_found"
s_recorded=$(printf '%s\\n' "$s_found" | grep '^{') || exit 0
printf '%s\\n' "$s_recorded" | timeout 30 ${KUBECTL} get -f - --ignore-not-found --request-timeout=5s -o go-template='{{range .items}}object {{.apiVersion}} {{.kind}} {{with .metadata.namespace}}{{if ne . "default"}}{{.}}{{end}}{{end}}/{{.metadata.name}}{{"\\n"}}{{end}}'`,
};

/**
 * Shell text that runs a command until it succeeds, for this many seconds at least; then fails with the command's last words. Words that match
 * one of the patterns (of `case`, in quotes where they have spaces) end it at once.
 */
export function untilDone(command: string, seconds: number, hopeless: readonly string[] = []): string {
  const giveUp =
    hopeless.length === 0
      ? ''
      : `\n  case $s_said in ${hopeless.map((pattern) => pattern.replace(/[^*]+/g, (words) => quote(words))).join(' | ')}) printf '%s\\n' "$s_said"; exit 1 ;; esac`;
  return `s_end=$(( $(cut -d. -f1 /proc/uptime) + ${seconds} ))
until s_said=$(${command} 2>&1); do${giveUp}
  [ "$(cut -d. -f1 /proc/uptime)" -lt "$s_end" ] || { printf '%s\\n' "$s_said"; exit 1; }
  sleep 0.5
done`;
}

/**
 * Applies a manifest by server-side apply, and records its digest in the cluster so that it is applied again only when it changed. With
 * `filledIn`, the host's shell fills in what stands in $(...), and that is what the digest is of.
 */
export function applyManifest(name: string, text: string, filledIn?: string): ScriptAction {
  const digest = sha256(filledIn === undefined ? text : `${text}${filledIn}`);
  const objects = parseAllDocuments(text)
    .map((document) => document.toJS() as { kind: string; metadata: { name: string; namespace?: string } } | null)
    .filter((object) => object !== null);
  const end = `SLIPWAY_${digest.slice(0, 16)}`;
  return {
    kind: 'script',
    // A new API server makes its own namespaces and roles in its first second.
    script: `s_apply() {
${KUBECTL} apply --server-side --force-conflicts --field-manager=slipway-${name} -f - <<${filledIn === undefined ? `'${end}'` : end}
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
      // What the probe does not ask for cannot be missed.
      lines: [
        `applied ${name} ${digest}`,
        ...objects
          .filter(({ kind }) => kind !== 'Secret')
          .map(({ kind, metadata }) => `${kind}/${metadata.namespace ?? ''}/${metadata.name}`),
      ],
    },
  };
}

/** Whether a manifest of this name was applied, in whatever version. */
export function isApplied({ probes }: HostState, name: string): boolean {
  return (probes[OBJECTS_PROBE.name] ?? '').split('\n').some((line) => line.startsWith(`applied ${name} `));
}

export interface Removal {
  /** The label app.kubernetes.io/name of what is deleted. */
  service: string;
  /** The names under which it was applied. */
  manifests: readonly string[];
  /** Files of the host that go with it. */
  files: readonly string[];
}

/** The inverse of applyManifest: what an older version of a manifest had is deleted too. */
export function removeService({ service, manifests, files }: Removal): ScriptAction {
  // Applied by the same field manager without the digest, the record loses it.
  const forget = manifests.map(
    (name) => `${KUBECTL} apply --server-side --force-conflicts --field-manager=slipway-${name} -f - <<'SLIPWAY_END' || return
apiVersion: v1
kind: ConfigMap
metadata: { name: slipway, namespace: kube-system, labels: { app.kubernetes.io/managed-by: slipway } }
SLIPWAY_END
`,
  );
  return {
    kind: 'script',
    script: `s_remove() {
${KUBECTL} delete ${KINDS},secrets -A -l app.kubernetes.io/managed-by=slipway,app.kubernetes.io/name=${service} --ignore-not-found --wait=false || return
rm -f ${files.map(quote).join(' ')}
${forget.join('')}}
${untilDone('s_remove', 60)}`,
  };
}
