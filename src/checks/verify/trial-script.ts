import { quote } from '../../base/quote.ts';
import { BIN } from '../../components/topology.ts';
import { RUN } from '../../engine/state.ts';
import { PRELUDE } from './probe.ts';

/** kubectl as an administrator, on control planes. Its cache lies where the next boot removes it. */
export const KUBECTL = `${BIN}/kubectl --kubeconfig=/etc/kubernetes/admin.conf --cache-dir=${RUN}/kubectl`;

/** Namespaces of verifications begin like this. */
export const NAMESPACE_PREFIX = 'slipway-verify-';
export const SPEAKER_LABEL = 'slipway.dev/verify';

export interface SpeakerOptions {
  namespace: string;
  /** The control plane that the script runs on. */
  speaker: string;
  manifest: string;
  /** Pods that are waited for, one on every node that can run pods. */
  pods: readonly string[];
  /** Further work once the pods were given their time, by name: side by side, each a section of the output. */
  work: Readonly<Record<string, string>>;
  /** Seconds. */
  patience: number;
}

/**
 * Makes the trial's objects, waits for its pods, and does the work; then waits for its input to end, and removes everything. Whichever way
 * it ends, it removes everything: it is told to stop, its operator's program is killed, the connection is lost.
 *
 * What a killed machine may have left is removed by the next: namespaces whose label names this host, because only one verification runs
 * on a host at a time; those of others when they are older than an hour.
 */
export function speakerScript({ namespace, speaker, manifest, pods, work, patience }: SpeakerOptions): string {
  const end = 'SLIPWAY_MANIFEST';
  const inNamespace = `${KUBECTL} -n ${namespace}`;
  const names = pods.map((pod) => `pod/${pod}`).join(' ');
  return `
exec 3<&0 2>&1
mkdir -p -m 0700 ${RUN}
exec 9>>${RUN}/verify.lock
flock -w 60 9 || { echo '@problem another verification runs on this host'; exit 0; }
s_d=$(mktemp -d ${RUN}/verify.XXXXXX) || exit 1
s_made=
s_clean() {
  trap '' HUP INT TERM PIPE
  [ -z "$s_jobs" ] || kill $s_jobs 2>/dev/null
  [ -z "$s_made" ] || ${KUBECTL} delete -f "$s_d/manifest.yaml" --ignore-not-found --wait=false --request-timeout=20s >/dev/null 2>&1
  rm -rf "$s_d"
}
s_jobs=
trap s_clean EXIT
trap 'exit 143' HUP INT TERM PIPE
# The end of the input is the word to stop, at any moment.
( while read -r s_x <&3; do :; done; kill -TERM $$ ) 9>&- & s_jobs=$!
# A trap is heeded while waiting, not while a command runs.
s_run() { "$@" </dev/null 9>&- & s_p=$!; s_jobs="$s_jobs $s_p"; wait "$s_p"; }

cat >"$s_d/manifest.yaml" <<'${end}'
${manifest}
${end}
s_made=yes
s_run ${KUBECTL} create --validate=false -f "$s_d/manifest.yaml" -o go-template='{{.kind}} {{.metadata.name}}{{with .spec}}{{with .clusterIP}} {{.}}{{end}}{{end}}{{"\\n"}}' >"$s_d/created" 2>&1
s_code=$?
echo '@created'; cat "$s_d/created"
[ $s_code = 0 ] || { echo '@problem the objects of the trial could not be made'; exit 0; }
s_old() {
  ${KUBECTL} get namespaces -l ${SPEAKER_LABEL} -o go-template='{{range .items}}{{if not .metadata.deletionTimestamp}}{{.metadata.name}} {{index .metadata.labels ${JSON.stringify(SPEAKER_LABEL)}}} {{.metadata.creationTimestamp}}{{"\\n"}}{{end}}{{end}}' |
  while read -r s_name s_of s_since; do
    [ "$s_name" != ${namespace} ] || continue
    [ "$s_of" = ${quote(speaker)} ] || [ "$(($(date +%s) - $(date -d "$s_since" +%s)))" -gt 3600 ] || continue
    ${KUBECTL} delete namespace "$s_name" --wait=false
  done
}
s_work='old ${Object.keys(work).join(' ')}'
( s_old ) >"$s_d/old" 2>&1 </dev/null 9>&- & s_jobs="$s_jobs $!"; s_waits=$!
${
  names === ''
    ? ':'
    : `s_run ${inNamespace} wait --for=condition=Ready ${names} --timeout=${patience}s -o go-template='{{.metadata.name}} {{.status.podIP}}{{"\\n"}}' >"$s_d/ready" 2>&1 ||
  s_run ${inNamespace} get pods -l app=echo -o go-template='{{range .items}}{{.metadata.name}} {{with .status.podIP}}{{.}}{{else}}-{{end}} {{.status.phase}}{{range .status.conditions}}{{if and (eq .type "Ready") (eq .status "True")}} Ready{{end}}{{end}}: {{with .status.reason}}{{.}} {{end}}{{with .status.message}}{{.}} {{end}}{{range .status.containerStatuses}}{{with .state.waiting}}{{.reason}} {{.message}}{{end}}{{with .state.terminated}}{{.reason}} {{.message}}{{end}}{{end}}{{"\\n"}}{{end}}' >"$s_d/ready" 2>&1`
}
echo '@ready'; cat "$s_d/ready"
echo '@go'
${Object.entries(work)
  .map(([name, text]) => `(\n${text}\n) >"$s_d/${name}" 2>&1 </dev/null 9>&- & s_jobs="$s_jobs $!"; s_waits="$s_waits $!"`)
  .join('\n')}
wait $s_waits
for s_w in $s_work; do echo "@work $s_w"; cat "$s_d/$s_w"; echo; done
echo '@finished'
while :; do s_run sleep 3600; done
`;
}

export interface CallerOptions {
  /** Address of the pod on this host. */
  own: string;
  port: number;
  /** Pods to call: name to address. */
  pods: Readonly<Record<string, string>>;
  /** Addresses of the Services; `name` is how a pod asks the DNS for the first. */
  services: { echo: string; self: string; name: string | undefined };
  /** Seconds that Services may need to be known everywhere. */
  patience: number;
}

/**
 * Runs on every node: lets the node's own pod call all pods and Services, side by side, and calls the Services from the host itself.
 * Prints one line for each: `KIND WHAT ANSWER`.
 */
export function callerScript({ own, port, pods, services, patience }: CallerOptions): string {
  const calls: { words: string; address: string; port: number; patience: number; seconds?: number }[] = [
    ...Object.entries(pods).map(([name, address]) => ({ words: `pod ${name}`, address, port, patience: 3 })),
    // A resolver that does not answer is asked with every search domain, a second each.
    ...(services.name === undefined ? [] : [{ words: 'dns -', address: services.name, port: 80, patience, seconds: 12 }]),
    { words: 'service -', address: services.echo, port: 80, patience },
    { words: 'self -', address: services.self, port: 80, patience },
  ];
  return `${PRELUDE}
# What was made a moment ago may not be known everywhere yet: ask again, for some seconds.
s_until() {
  s_words=$1 s_good=$2 s_end=$(($(date +%s) + $3)); shift 3
  until s_answer=$("$@" | tr '\\n' ' '); case $s_answer in $s_good) true ;; *) [ "$(date +%s)" -ge "$s_end" ] ;; esac; do sleep 0.2; done
  printf '%s %s\\n' "$s_words" "$s_answer"
}
s_n=0
s_call() {
  s_until "$1" '*"responses"*' "$4" s_get ${own} ${port} "/dial?host=$2&port=$3&protocol=http&request=hostname&tries=1" "$5" &
  s_n=$((s_n + 1)); [ $((s_n % 32)) != 0 ] || wait
}
command -v bash >/dev/null || { echo 'nothing - bash is not installed'; exit 0; }
s_until 'host -' 'HTTP*200*' 3 s_get ${own} ${port} /hostname &
s_until 'host-service -' 'HTTP*200*' ${patience} s_get ${services.echo} 80 /hostname &
${calls.map((call) => `s_call '${call.words}' ${call.address} ${call.port} ${call.patience} ${call.seconds ?? 7}`).join('\n')}
wait
`;
}
