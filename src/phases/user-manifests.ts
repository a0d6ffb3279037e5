import { identityOf, nameOf, type ManifestObject } from '../config/manifests.ts';
import { KUBECTL } from '../components/topology.ts';
import { sha256 } from '../engine/actions/file.ts';
import type { Phase } from '../engine/phase.ts';
import { RUN } from '../engine/state.ts';
import { stepId, type Desired } from '../engine/step.ts';
import { stateOf, type Context } from './context.ts';
import { OBJECTS_PROBE, RECORD, untilDone } from './manifests.ts';
import { observerOf } from './nodes.ts';
import { addonStep } from './step-ids.ts';

/** The reference by which a step asks for the text of the manifests, which may hold secrets. */
export const MANIFESTS_TEXT = 'manifests:text';

/** Last: what is applied here may need nodes to run on. */
export const userManifests: Phase<Context> = {
  id: 'user-manifests',
  title: 'Your manifests',
  summary: 'Applies what spec.addons.manifests names, and deletes what left these files.',
  plan(context) {
    const { manifests } = context;
    const observer = observerOf(context);
    if (manifests === undefined || !observer) return [];
    const probe = stateOf(context, observer).probes[OBJECTS_PROBE.name] ?? '';
    const digest = sha256(manifests.text);
    const wanted = manifests.objects.map(stub);
    const recorded = probe.split('\n').filter((line) => line.startsWith('{'));
    const apply: Desired = {
      id: stepId(observer.name, 'user-manifests', 'apply'),
      host: observer.name,
      summary: `apply ${count(wanted.length)} of spec.addons.manifests`,
      action: {
        kind: 'script',
        script: applyScript({ digest, wanted, bytes: Buffer.byteLength(manifests.text) }),
        stdin: [MANIFESTS_TEXT],
        done: { probe: OBJECTS_PROBE.name, lines: [`manifests ${digest}`, ...manifests.objects.map(presence)] },
      },
      // What the user's own may need.
      after: ['access', 'coredns', 'metrics-server', 'service-accounts'].map((slug) => addonStep(observer, slug)),
    };
    const stale = recorded.filter((line) => !wanted.includes(line));
    const known = new Set(manifests.objects.map(identityOf));
    const left = stale
      .map(fromStub)
      .filter((object) => !known.has(identityOf(object)))
      .sort((a, b) => rank(a) - rank(b));
    const prune: Desired = {
      id: stepId(observer.name, 'user-manifests', 'prune'),
      host: observer.name,
      summary:
        left.length === 0
          ? 'note the versions in which objects are written now'
          : `delete what left spec.addons.manifests: ${left.map(nameOf).join(', ')}`,
      action: { kind: 'script', script: pruneScript({ digest, wanted, left: left.map(stub) }) },
    };
    return [...(wanted.length > 0 ? [apply] : []), ...(stale.length > 0 ? [prune] : [])];
  },
};

const count = (objects: number): string => (objects === 1 ? 'the object' : `${objects} objects`);

/** What kubectl get and delete take for the object; one line, so that it can be counted and compared. */
function stub({ apiVersion, kind, namespace, name }: ManifestObject): string {
  return JSON.stringify({ apiVersion, kind, metadata: { ...(namespace === undefined ? {} : { namespace }), name } });
}

function fromStub(line: string): ManifestObject {
  const { apiVersion, kind, metadata } = JSON.parse(line) as {
    apiVersion: string;
    kind: string;
    metadata: { namespace?: string; name: string };
  };
  return { apiVersion, kind, ...metadata };
}

/** As the probe prints it. */
function presence({ apiVersion, kind, namespace, name }: ManifestObject): string {
  return `object ${apiVersion} ${kind} ${namespace === undefined || namespace === 'default' ? '' : namespace}/${name}`;
}

/** What others live in goes last. */
function rank({ kind }: ManifestObject): number {
  return ['Namespace', 'CustomResourceDefinition'].indexOf(kind);
}

interface Recorded {
  digest: string;
  wanted: readonly string[];
}

/**
 * The record names an object before it is made, and forgets it only after it was deleted: an interruption leaves nothing that nobody knows of.
 * What a missing kind or namespace makes fail comes right when the rest was applied; what the API server calls wrong stays wrong.
 */
function applyScript({ digest, wanted, bytes }: Recorded & { bytes: number }): string {
  return `umask 077
s_f=${RUN}/manifests.$$
trap 'rm -f "$s_f" "$s_f".*' EXIT
head -c ${bytes} >"$s_f"
${recordFunction}
s_apply() {
  ${KUBECTL} -n kube-system get configmap ${RECORD} --ignore-not-found -o go-template='{{with .data}}{{.objects}}{{end}}' >"$s_f.before" || return
  { cat "$s_f.before"; ${here(wanted)}  } | grep '^{' | sort -u >"$s_f.all"
  s_record '' "$s_f.all" || return
  ${KUBECTL} apply --server-side --force-conflicts --field-manager=${RECORD} -f "$s_f" || return
  s_record ${digest} "$s_f.all"
}
${untilDone('s_apply', 60, WRONG)}`;
}

/** Said by the API server of what no second attempt makes right. */
const WRONG = [
  '* is invalid: *',
  '*unknown field *',
  '*strict decoding error*',
  '*failed to create typed patch object*',
  '*(BadRequest)*',
  '*denied the request*',
  '*violates PodSecurity*',
  '*error parsing *',
  '*error converting *',
];

/** An object that Slipway's own services have taken over meanwhile stays; one whose kind is gone is gone. */
function pruneScript({ digest, wanted, left }: Recorded & { left: readonly string[] }): string {
  return `umask 077
s_f=${RUN}/manifests.$$
trap 'rm -f "$s_f" "$s_f".*' EXIT
${recordFunction}
s_prune() {
${
  left.length === 0
    ? ''
    : `  { ${here(left)}  } | ${KUBECTL} get -f - --ignore-not-found -o go-template='${STUBS}' >"$s_f.live" 2>"$s_f.said" ||
    ! grep -v -e 'no matches for kind' -e 'ensure CRDs are installed first' "$s_f.said" || return
  [ ! -s "$s_f.live" ] || ${KUBECTL} delete --ignore-not-found --wait=false -f "$s_f.live" || return
`
}  ${
    wanted.length === 0
      ? `${KUBECTL} -n kube-system delete configmap ${RECORD} --ignore-not-found`
      : `{ ${here(wanted)}  } >"$s_f.all"; s_record ${digest} "$s_f.all"`
  }
}
${untilDone('s_prune', 60)}`;
}

const STUBS = `{{range .items}}{{$ours := false}}{{with .metadata.labels}}{{$ours = eq (or (index . "app.kubernetes.io/managed-by") "") "slipway"}}{{end}}{{if not $ours}}{"apiVersion":"{{.apiVersion}}","kind":"{{.kind}}","metadata":{ {{- with .metadata.namespace}}"namespace":"{{.}}",{{end}}"name":"{{.metadata.name}}"}}{{"\\n"}}{{end}}{{end}}`;

/** s_record DIGEST FILE */
const recordFunction = `s_record() {
  { cat <<'SLIPWAY_END'
apiVersion: v1
kind: ConfigMap
metadata: { name: ${RECORD}, namespace: kube-system, labels: { app.kubernetes.io/managed-by: slipway } }
data:
SLIPWAY_END
  printf '  digest: "%s"\\n  objects: |\\n' "$1"
  sed 's/^/    /' "$2"
  } | ${KUBECTL} apply --server-side --force-conflicts --field-manager=${RECORD} -f -
}`;

/** A command that prints these lines. */
function here(lines: readonly string[]): string {
  return `cat <<'SLIPWAY_END'\n${lines.join('\n')}\nSLIPWAY_END\n`;
}
