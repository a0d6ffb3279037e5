import { HTTP_GET } from '../../base/http-get.ts';
import { quote, sh } from '../../base/quote.ts';
import { RUN } from '../../engine/state.ts';
import { KUBECTL } from '../../components/topology.ts';

/** Namespaces of verifications begin like this. */
export const NAMESPACE_PREFIX = 'slipway-verify-';
export const OBSERVER_LABEL = 'slipway.dev/verify';

/** The trial's other namespace: it asks for nothing of Pod Security, and gets what the cluster enforces everywhere. */
export function unlabelledNamespace(namespace: string): string {
  return `${namespace}-unlabelled`;
}

export interface ObserverOptions {
  namespace: string;
  /** The control plane that the script runs on. */
  observer: string;
  manifest: string;
  /** Pods that are waited for, one on every node that can run pods. */
  pods: readonly string[];
  /** Further work once the pods were given their time, by name: side by side, each a section of the output. `$s_pods` are those that run. */
  work: Readonly<Record<string, string>>;
  /** Seconds. */
  patience: number;
  /** Seconds that the controllers may need to see the pods: one of them must lead. */
  takeover: number;
}

/**
 * Makes the trial's objects, waits for its pods, and does the work; then waits for its input to end, and removes everything. Whichever way
 * it ends, it removes everything: it is told to stop, its operator's program is killed, the connection is lost.
 *
 * What a killed machine may have left is removed by the next: namespaces whose label names this host, because only one verification runs
 * on a host at a time; those of others when they are older than an hour.
 */
export function observerScript({ namespace, observer, manifest, pods, work, patience, takeover }: ObserverOptions): string {
  const end = 'SLIPWAY_MANIFEST';
  const inNamespace = `${KUBECTL} -n ${quote(namespace)}`;
  const names = pods.map((pod) => quote(`pod/${pod}`)).join(' ');
  return `
exec 3<&0 2>&1
mkdir -p -m 0700 ${RUN}
exec 9>>${RUN}/verify.lock
flock -w 60 9 || { echo '@problem another verification runs on this host'; exit 0; }
s_d=$(mktemp -d ${RUN}/verify.XXXXXX) || exit 1
s_made=
s_clean() {
  trap '' HUP INT TERM PIPE
  for s_j in $s_jobs; do s_child "$s_j" && kill "$s_j"; done 2>/dev/null
  if [ -n "$s_made" ]; then
    # A pod whose kubelet is away would stay for ever.
    ${inNamespace} delete pods -l 'app in (echo,privileged)' --field-selector=status.phase!=Running --force --grace-period=0 --wait=false --request-timeout=20s
    # Not left to its namespace's end, for which somebody who drains its node would have to wait.
    ${inNamespace} delete pods -l app=privileged --wait=false --request-timeout=20s
    ${KUBECTL} delete -f "$s_d/manifest.yaml" --ignore-not-found --wait=false --request-timeout=20s
  fi >/dev/null 2>&1
  rm -rf "$s_d"
}
# The script may run in a subshell, whose number is not $$. Numbers come again: only what is still a child of ours is ended.
s_me=$(exec sh -c 'echo $PPID')
s_child() { read -r s_x s_x s_x s_parent s_x <"/proc/$1/stat" && [ "$s_parent" = "$s_me" ]; }
s_jobs=
trap s_clean EXIT
trap 'exit 143' HUP INT TERM PIPE
# The end of the input is the word to stop, at any moment.
( while read -r s_x <&3; do :; done; ! s_child self || kill -TERM "$s_me" ) 9>&- & s_jobs=$!
# A trap is heeded while waiting, not while a command runs.
s_run() { "$@" </dev/null 9>&- & s_p=$!; s_jobs="$s_jobs $s_p"; wait "$s_p"; }

cat >"$s_d/manifest.yaml" <<'${end}'
${manifest}
${end}
s_made=yes
s_run ${KUBECTL} create --validate=false -f "$s_d/manifest.yaml" --request-timeout=20s -o go-template='{{.kind}} {{.metadata.name}}{{with .spec}}{{with .clusterIP}} {{.}}{{end}}{{end}}{{"\\n"}}' >"$s_d/created" 2>&1
s_code=$?
echo '@created'; cat "$s_d/created"
[ $s_code = 0 ] || { echo '@problem the objects of the trial could not be made'; exit 0; }
s_old() {
  ${KUBECTL} get namespaces -l ${OBSERVER_LABEL} -o go-template='{{range .items}}{{.metadata.name}} {{index .metadata.labels ${JSON.stringify(OBSERVER_LABEL)}}} {{.metadata.creationTimestamp}} {{.status.phase}}{{"\\n"}}{{end}}' |
  while read -r s_name s_of s_since s_phase; do
    case $s_name in ${quote(namespace)} | ${quote(unlabelledNamespace(namespace))}) continue ;; esac
    s_age=$(($(date +%s) - $(date -d "$s_since" +%s)))
    # An empty namespace needs some seconds to go; after a minute something holds it.
    if [ "$s_phase" = Terminating ]; then [ "$s_age" -gt 60 ] || continue; fi
    [ "$s_of" = ${quote(observerLabel(observer))} ] || [ "$s_age" -gt 3600 ] || continue
    ${KUBECTL} -n "$s_name" delete pods --all --force --grace-period=0 --wait=false
    [ "$s_phase" = Terminating ] || ${KUBECTL} delete namespace "$s_name" --wait=false
    echo "removed $s_name"
  done
}
s_work=${quote(`old ${Object.keys(work).join(' ')}`)}
( s_old ) >"$s_d/old" 2>&1 </dev/null 9>&- & s_jobs="$s_jobs $!"; s_waits=$!
${
  names === ''
    ? ':'
    : `s_run timeout ${patience + 5} ${inNamespace} wait --for=condition=Ready ${names} --timeout=${patience}s -o go-template='{{.metadata.name}} {{.status.podIP}}{{"\\n"}}' >"$s_d/ready" 2>&1 ||
  s_run ${inNamespace} get pods -l app=echo --request-timeout=10s -o go-template='{{range .items}}{{.metadata.name}} {{with .status.podIP}}{{.}}{{else}}-{{end}} {{.status.phase}}{{range .status.conditions}}{{if and (eq .type "Ready") (eq .status "True")}} Ready{{end}}{{end}}: {{with .status.reason}}{{.}} {{end}}{{with .status.message}}{{.}} {{end}}{{range .status.containerStatuses}}{{with .state.waiting}}{{.reason}} {{.message}}{{end}}{{with .state.terminated}}{{.reason}} {{.message}}{{end}}{{end}}{{"\\n"}}{{end}}' >"$s_d/ready" 2>&1`
}
echo '@ready'; cat "$s_d/ready"
s_pods=$(awk '/^echo-[0-9]+ / && (NF == 2 || / Ready: /) { print $1 }' "$s_d/ready")
# Services lead nowhere before the controllers have written their endpoints.
s_end=$(($(date +%s) + ${takeover}))
until [ -z "$s_pods" ] || [ "$(date +%s)" -ge "$s_end" ]; do
  s_run ${inNamespace} get endpointslices --request-timeout=5s -o go-template='{{range .items}}{{range .endpoints}}x{{end}}{{end}}' >"$s_d/endpoints" 2>&1
  case $(cat "$s_d/endpoints") in x*) break ;; esac
  s_run sleep 0.3
done
echo '@go'
${Object.entries(work)
  .map(([name, text]) => `(\n${text}\n) >"$s_d"/${quote(name)} 2>&1 </dev/null 9>&- & s_jobs="$s_jobs $!"; s_waits="$s_waits $!"`)
  .join('\n')}
wait $s_waits
for s_w in $s_work; do echo "@work $s_w"; cat "$s_d/$s_w"; echo; done
echo '@finished'
while :; do s_run sleep 3600; done
`;
}

/** At most 63 characters, with a letter or digit at the end (Kubernetes' rule for label values). */
export function observerLabel(name: string): string {
  return name.slice(0, 63).replace(/[^A-Za-z0-9]+$/, '');
}

export interface CallerOptions {
  /** Address of the pod on this host. */
  own: string;
  port: number;
  /** Pods to call: name to address. */
  pods: Readonly<Record<string, string>>;
  /** Addresses of the Services; `name` is how a pod asks the DNS for the first. */
  services: { echo: string; self: string; name: string | undefined };
  /** A port of another node that leads to its pod. */
  hostPort?: { pod: string; address: string; port: number } | undefined;
  /** Seconds that Services may need to be known everywhere. */
  patience: number;
}

/**
 * Runs on every node: lets the node's own pod call all pods and Services, side by side, and calls the Services from the host itself.
 * Prints one line for each: `KIND WHAT ANSWER`.
 */
export function callerScript({ own, port, pods, services, hostPort, patience }: CallerOptions): string {
  const line = (words: string, address: string, more: Partial<Dial> = {}): string => {
    const { port: to = 80, seconds = 7, until = patience, request = 'hostname' } = more;
    return sh`s_call ${words} ${address} ${to} ${until} ${seconds} ${request}`;
  };
  const calls = [
    ...Object.entries(pods).map(([name, address]) => line(`pod ${name}`, address, { port, until: POD_PATIENCE })),
    ...Object.entries(pods).map(([name, address]) => line(`large ${name}`, address, { port, until: POD_PATIENCE, request: 'large' })),
    // A resolver that does not answer is asked with every search domain, a second each.
    ...(services.name === undefined ? [] : [line('dns -', services.name, { seconds: 12 })]),
    line('service -', services.echo),
    line('self -', services.self),
  ];
  return `${HTTP_GET}
# What was made a moment ago may not be known everywhere yet: ask again, for some seconds; where a name is not known, for longer.
s_until() {
  s_words=$1 s_good=$2 s_start=$(date +%s) s_for=$3; shift 3
  while s_answer=$("$@" | tr -s '\\n~' ' ~'); do
    case $s_answer in $s_good) break ;; *'no such host'*) s_most=${Math.max(patience, DNS_PATIENCE)} ;; *) s_most=$s_for ;; esac
    [ "$(date +%s)" -lt $((s_start + s_most)) ] || break
    sleep 0.2
  done
  printf '%s %.600s\\n' "$s_words" "$s_answer"
}
s_n=0
s_call() {
  case $6 in large) s_request="echo%3Fmsg%3D$s_large" ;; *) s_request=$6 ;; esac
  s_until "$1" '*"responses"*' "$4" s_get ${sh`${own} ${port}`} "/dial?host=$2&port=$3&protocol=http&request=$s_request&tries=1" "$5" &
  s_n=$((s_n + 1)); [ $((s_n % 32)) != 0 ] || wait
}
command -v bash >/dev/null || { echo 'nothing - bash is not installed'; exit 0; }
s_large=$(printf '%${LARGE}s' '' | tr ' ' '~')
s_until 'host -' 'HTTP*200*' ${POD_PATIENCE} s_get ${sh`${own} ${port}`} /hostname 7 &
s_until 'host-service -' 'HTTP*200*' ${patience} s_get ${quote(services.echo)} 80 /hostname &
${hostPort ? sh`s_until ${`host-port ${hostPort.pod}`} 'HTTP*200*' ${POD_PATIENCE} s_get ${hostPort.address} ${hostPort.port} /hostname 7 &\n` : ''}${calls.join('\n')}
wait
`;
}

/** Seconds, more than three calls may take: on a busy host the first ones may be lost. */
const POD_PATIENCE = 12;
/** Seconds: CoreDNS waits for up to half a minute before it asks again, when the API was away from it. */
const DNS_PATIENCE = 35;
/** Bytes: some packets of full size, whatever the network's. */
const LARGE = 4000;

interface Dial {
  port: number;
  /** How long it may take. */
  seconds: number;
  /** For how long it is tried again. */
  until: number;
  /** What the pod asks: the other's name, or a long answer. */
  request: 'hostname' | 'large';
}
