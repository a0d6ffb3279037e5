import { groupBy } from '../../base/group.ts';
import { HTTP_GET } from '../../base/http-get.ts';
import { quote, sh } from '../../base/quote.ts';
import { several } from '../../base/words.ts';
import { declarations } from '../../components/declare.ts';
import { flanneld } from '../../components/flanneld.ts';
import { components as all } from '../../components/index.ts';
import { isNode, KUBECTL } from '../../components/topology.ts';
import type { Cluster, Host } from '../../config/cluster.ts';
import { RUN } from '../../engine/state.ts';
import { waiting, type Desired, type ScriptAction, type StepId } from '../../engine/step.ts';
import { oncePerContext, plannedHosts, type Context } from '../context.ts';
import { foreignUnits } from '../foreign/units.ts';
import { install, stepsOf, type Installation } from '../install.ts';
import { untilDone } from '../manifests.ts';
import { nodesOfOtherBackends, observerOf } from '../nodes.ts';
import { apiStep, batchStep, readyStep, servesStep, unitStep } from '../step-ids.ts';
import { RESTARTS, restarts, running, TIMEOUT } from './turn.ts';

const components = all.filter(({ rollout }) => rollout === 'batches');

/** Seconds in which an API that was only just restarted answers. */
const PATIENCE = 60;

/**
 * Gives nodes that serve their turn, a batch after the other, the first of a single one. What differs on a node is replaced in its turn and not before,
 * and put back when a unit does not come up then. What does not serve is started at once.
 */
export function inBatches(context: Context): (installation: Installation) => Desired[] {
  return (installation) => {
    const { host, start } = installation;
    const batch = batchOf(context, host);
    if (batch < 0 || !restarts(context, installation)) return stepsOf([installation]);
    if (installation.component === flanneld && nodesOfOtherBackends(context).length > 0)
      return [
        ...installation.inputs,
        { ...start!, effect: 'pods on different nodes do not reach each other until all have the new backend' },
      ];
    const turn = { after: [batchStep(observerOf(context)!, batch)] };
    return [...installation.inputs, { ...start!, effect: 'pods go on running' }].map((step) => ({
      ...waiting(step, turn),
      lane: 'rollout',
      change: changeOf(host),
    }));
  };
}

const changeOf = ({ name }: Host): string => `${name}/node`;

/** Nodes that have their turn together, with the units that are restarted then. */
interface Batch {
  hosts: readonly Host[];
  units: readonly StepId[];
}

/** The nodes on which something that serves is restarted, in the order in which they are. */
const batchesOf = oncePerContext((context): Batch[] => {
  if (observerOf(context) === undefined) return [];
  const restarted = groupBy(
    install(context, ...components).filter((installation) => restarts(context, installation)),
    ({ host }) => host,
  );
  const [first, ...rest] = [...restarted.keys()].filter((host) => isNode(host) && foreignUnits(context, host).length === 0);
  if (first === undefined) return [];
  const size = batchSize(context.cluster);
  const batches = [[first], ...Array.from({ length: Math.ceil(rest.length / size) }, (_, i) => rest.slice(i * size, (i + 1) * size))];
  return batches.map((hosts) => ({
    hosts,
    units: hosts.flatMap((host) => restarted.get(host)!.map(({ component }) => unitStep(host, component))),
  }));
});

const batchOf = (context: Context, host: Host): number => batchesOf(context).findIndex(({ hosts }) => hosts.includes(host));

/** How many nodes may be away at once: of a percentage at least one. */
export function batchSize({ hosts, rollout: { maxUnavailable } }: Cluster): number {
  if (typeof maxUnavailable === 'number') return maxUnavailable;
  return Math.max(1, Math.floor((hosts.filter(isNode).length * Number.parseInt(maxUnavailable, 10)) / 100));
}

/** In the turn of a node: the last step of its change, by which it stands or is put back. Undefined: the node has no turn. */
export function nodeGate(context: Context, host: Host): Pick<Desired, 'action' | 'lane' | 'change'> | undefined {
  if (batchOf(context, host) < 0) return undefined;
  const declared = declarations(context, host).map(({ declaration }) => declaration);
  const units = declared.flatMap(({ unit }) => (unit ? [unit.name] : []));
  const answers = declared.flatMap(({ health }) =>
    health?.scheme === 'http'
      ? [
          sh`s_said=$(s_get 127.0.0.1 ${health.port} ${health.path})` +
            ` || :\ncase $s_said in 'HTTP 200'*) ;; *) echo "port ${health.port}: $s_said"; exit 1 ;; esac`,
        ]
      : [],
  );
  return {
    action: {
      kind: 'wait',
      condition: [HTTP_GET, ...units.map(running), ...answers].join('\n'),
      timeoutSeconds: TIMEOUT,
      units,
      restarts: RESTARTS,
    },
    lane: 'rollout',
    change: changeOf(host),
  };
}

/** What the observer sees before, between and after the batches: nodes and pods that were ready before their turn are ready after it. */
export function looksAtBatches(context: Context): Desired[] {
  const batches = batchesOf(context);
  if (batches.length === 0) return [];
  const observer = observerOf(context)!;
  const looks = [...batches, { hosts: [], units: [] }];
  return looks.map(({ hosts: next, units }, i): Desired => {
    const before = batches[i - 1];
    const changed = before?.hosts ?? [];
    return {
      id: batchStep(observer, i),
      host: observer.name,
      // One batch's trouble ends no other work on the observer.
      concerns: (changed[0] ?? next[0]!).name,
      summary:
        changed.length === 0
          ? 'note which nodes and pods are ready'
          : `see ${several(changed.map(({ name }) => name))} and their pods ready again`,
      action: look(changed, next),
      lane: 'gates',
      needs: changed.map(readyStep),
      after:
        i > 0
          ? [batchStep(observer, i - 1)]
          : [
              apiStep(observer),
              ...plannedHosts(context).flatMap((host) =>
                all.filter(({ rollout }) => rollout === 'one-by-one').map((each) => servesStep(host, each)),
              ),
            ],
      onlyIfAny: [...(before?.units ?? []), ...units],
    };
  });
}

/** What was well before a batch, and when its kubelets had given their last signs of life. */
const BEFORE = `${RUN}/ready-before`;
const HEARD = `${RUN}/leases-before`;

/** `well` or `ill`, and what: a line for each node, or for each pod that is neither ending nor has succeeded. */
const readiness = (what: string): string =>
  `{{range .status.conditions}}{{if eq .type "Ready"}}{{if eq .status "True"}}well{{else}}ill{{end}} ${what}{{"\\n"}}{{end}}{{end}}`;
const NODES = `{{range .items}}{{$o := .metadata}}${readiness('node {{$o.name}}')}{{end}}`;
const PODS = `{{range .items}}{{$o := .metadata}}{{if not $o.deletionTimestamp}}{{if ne .status.phase "Succeeded"}}${readiness('pod {{$o.namespace}}/{{$o.name}} {{$o.uid}}')}{{end}}{{end}}{{end}}`;
const LEASES = '{{range .items}}{{.metadata.name}} {{.spec.renewTime}}{{"\\n"}}{{end}}';

/**
 * A node counts as ready when its kubelet has renewed its lease meanwhile: the API goes on calling it ready for most of a minute after it has gone. What
 * is no more, or was not ready before, is not waited for.
 */
function look(changed: readonly Host[], next: readonly Host[]): ScriptAction {
  const names = (hosts: readonly Host[]): string => hosts.map(({ name }) => quote(name)).join(' ');
  const wait = `s_leases() { s_kubectl -n kube-node-lease get leases -o go-template='${LEASES}'; }
s_ill() {
  s_now=$(s_seen ${names(changed)}) && s_renewed=$(s_leases) || { echo 'the API does not answer'; return; }
  printf '%s\\n' "$s_now" | sed -n 's/^ill /well /p' | grep -Fx -f ${BEFORE} | while read -r s_x s_what s_which s_x; do
    echo "the $s_what $s_which was ready before, and is not"
  done
  for s_node in ${names(changed)}; do
    grep -qx "well node $s_node" ${BEFORE} || continue
    ! printf '%s\\n' "$s_renewed" | grep "^$s_node " | grep -qFx -f ${HEARD} || echo "the kubelet of $s_node has not been heard of since"
  done
}
${untilDone(`s_leases >${HEARD}`, PATIENCE)}
s_end=$(($(cut -d. -f1 /proc/uptime) + ${TIMEOUT}))
until s_bad=$(s_ill); [ -z "$s_bad" ]; do
  [ "$(cut -d. -f1 /proc/uptime)" -lt "$s_end" ] || { printf '%s\\n' "$s_bad"; exit 1; }
  sleep 0.5
done
`;
  const note = `s_note() { s_now=$(s_seen ${names(next)}) && printf '%s\\n' "$s_now" >${BEFORE}; }
${untilDone('s_note', PATIENCE)}
`;
  return {
    kind: 'script',
    script: `s_kubectl() { ${KUBECTL} --request-timeout=10s "$@" </dev/null; }
s_seen() {
  s_all=$(s_kubectl get nodes -o go-template='${NODES}') || return 1
  for s_node; do
    printf '%s\\n' "$s_all" | grep -x ".* node $s_node"
    s_kubectl get pods -A --field-selector="spec.nodeName=$s_node" -o go-template='${PODS}' || return 1
  done
}
${changed.length === 0 ? '' : wait}${next.length === 0 ? `rm -f ${BEFORE} ${HEARD}` : note}`,
    timeoutSeconds: TIMEOUT + 2 * PATIENCE,
  };
}
