import { groupBy } from '../base/group.ts';
import { quote, sh } from '../base/quote.ts';
import { several } from '../base/words.ts';
import { flanneld } from '../components/flanneld.ts';
import { kubelet } from '../components/kubelet.ts';
import { CONTROL_PLANE_TAINT, controlPlanes, isControlPlane, isNode, KUBECTL, nodeTaints } from '../components/topology.ts';
import type { Host } from '../config/cluster.ts';
import type { Phase } from '../engine/phase.ts';
import { stepId, type Desired, type ScriptAction } from '../engine/step.ts';
import { oncePerContext, plannedHosts, stateOf, type Context } from './context.ts';
import { untilDone } from './manifests.ts';
import { apiStep, registerStep, unitStep } from './step-ids.ts';

/** Last: a node that does not register is explained by the units of its own host, which are waited for before. */
export const nodes: Phase<Context> = {
  id: 'nodes',
  title: 'Nodes',
  summary: 'Labels and taints the nodes.',
  plan(context) {
    const observer = observerOf(context);
    const planned = plannedHosts(context);
    if (!observer) return [];
    const registers = planned.filter(hasLostItsNode(context)).map(registerAgain);
    const groups = groupAlike(planned.filter(isNode), leftOn(context));
    const settings = groups.map(({ hosts, left }): Desired => ({
      id: stepId(observer.name, 'nodes', hosts[0]!.name),
      host: observer.name,
      summary: `set labels and taints of ${several(hosts.map(({ name }) => name))}`,
      action: nodeSettings(hosts, left),
      // A node that cannot register any more is not waited for.
      needs: hosts.map((host) => unitStep(host, kubelet)),
      after: [apiStep(observer), ...hosts.map(registerStep)],
    }));
    return [...registers, ...settings];
  },
};

/** What the first control plane that answered printed of the nodes; empty: none did. */
export function nodesAsTold({ cluster, states }: Pick<Context, 'cluster' | 'states'>): string {
  return (
    controlPlanes(cluster)
      .map(({ name }) => states[name]?.probes[NODES_PROBE.name] ?? '')
      .find((text) => text !== '') ?? ''
  );
}

/** The nodes that the API has, as far as a control plane told; undefined: none did. */
export function registeredNodes(context: Pick<Context, 'cluster' | 'states'>): Set<string> | undefined {
  const text = nodesAsTold(context);
  return text === '' ? undefined : new Set([...text.matchAll(/^(?!ours )\w+ (\S+) /gm)].map((match) => match[1]!));
}

/** Nodes of the cluster file on which flanneld said that it runs another backend than the file has. */
export const nodesOfOtherBackends = oncePerContext((context): string[] => {
  const { backend } = context.cluster.network.flannel;
  const found = new Map([...nodesAsTold(context).matchAll(/^backend (\S+) (\S+)$/gm)].map(([, node, type]) => [node!, type!]));
  return context.cluster.hosts.filter(({ name }) => (found.get(name) ?? backend) !== backend).map(({ name }) => name);
});

/** A kubelet registers its node when it starts, and never again. */
function hasLostItsNode(context: Context): (host: Host) => boolean {
  const registered = registeredNodes(context);
  return (host) =>
    isNode(host) && registered?.has(host.name) === false && stateOf(context, host).units['kubelet.service']?.active === 'active';
}

/**
 * The node may get another pod network than it had; pods and the bridge are still in the old one then. Pods of a node that was deleted are deleted
 * with it, so that nothing is ended here which would have stayed.
 */
function registerAgain(host: Host): Desired {
  return {
    id: registerStep(host),
    host: host.name,
    summary: `register the node ${host.name} again`,
    drift: true,
    action: {
      kind: 'script',
      script: `s_net() { sed -n 's/^FLANNEL_SUBNET=//p' /run/flannel/subnet.env 2>/dev/null; }
s_before=$(s_net)
# Stopped first: what is only about to be restarted counts as active still.
systemctl stop flanneld.service
systemctl restart --no-block kubelet.service
systemctl start --no-block flanneld.service
s_n=0
until systemctl is-active --quiet flanneld.service; do
  s_n=$((s_n + 1)); [ $s_n -lt 1200 ] || { journalctl -n 20 --no-pager -u flanneld -u kubelet; exit 1; }
  sleep 0.1
done
[ "$(s_net)" != "$s_before" ] || exit 0
systemctl stop kubelet.service
s_n=0
while s_pids=$(find /sys/fs/cgroup -path '*kubepods*' -name cgroup.procs -exec cat {} + 2>/dev/null | sort -u) && [ -n "$s_pids" ]; do
  s_n=$((s_n + 1)); [ $s_n -lt 300 ] || { echo "processes of pods do not end: $s_pids"; exit 1; }
  kill -9 $s_pids 2>/dev/null || :
  sleep 0.1
done
ip link delete cni0 2>/dev/null || :
systemctl start --no-block kubelet.service`,
    },
    needs: [unitStep(host, kubelet), unitStep(host, flanneld)],
  };
}

/**
 * The control plane through which a run asks and tells the API and etcd: both are the same on all. It is one that works already, or the first. Undefined: the plan may touch
 * none.
 */
export function observerOf(context: Context): Host | undefined {
  const all = controlPlanes(context.cluster);
  if (context.observer !== undefined) return all.find(({ name }) => name === context.observer);
  const planned = plannedHosts(context).filter(isControlPlane);
  const works = (host: Host): boolean => (context.states[host.name]?.probes[NODES_PROBE.name] ?? '') !== '';
  return planned.find(works) ?? planned.find((host) => host === all[0]);
}

/** Nodes of the plan whose labels or taints are not what they should be, and stay so because the host that would set them is outside of the limit. */
export function leftUnlabelled(context: Context): string[] {
  const planned = plannedHosts(context);
  if (observerOf(context)) return [];
  const lines = (context.states[controlPlanes(context.cluster)[0]!.name]?.probes[NODES_PROBE.name] ?? '').split('\n');
  return planned.filter((host) => isNode(host) && nodeLines(host).some((line) => !lines.includes(line))).map(({ name }) => name);
}

/** The ConfigMap in kube-system that remembers which labels and taints of nodes are ours: a node's own kubelet may write neither it nor taints. */
const RECORD = 'slipway-nodes';

/**
 * Prints of every node its labels (`label NODE KEY=VALUE`), taints (`taint NODE KEY=VALUE:EFFECT`), readiness, version and flannel's backend (`backend NODE TYPE`); and `ours NODE WORD...`,
 * what of that was set from the cluster file: `KEY` of a label, `KEY:EFFECT` of a taint.
 */
export const NODES_PROBE = {
  name: 'nodes',
  script: `[ -f /etc/kubernetes/super-admin.conf ] || exit 0
timeout 8 ${KUBECTL} get nodes --request-timeout=5s -o go-template='{{range .items}}{{$n := .metadata.name}}{{range $k, $v := .metadata.labels}}label {{$n}} {{$k}}={{$v}}{{"\\n"}}{{end}}{{range .spec.taints}}taint {{$n}} {{.key}}={{with .value}}{{.}}{{end}}:{{.effect}}{{"\\n"}}{{end}}{{range .status.conditions}}{{if eq .type "Ready"}}ready {{$n}} {{.status}}{{"\\n"}}{{end}}{{end}}{{range $k, $v := .metadata.annotations}}{{if eq $k "flannel.alpha.coreos.com/backend-type"}}backend {{$n}} {{$v}}{{"\\n"}}{{end}}{{end}}version {{$n}} {{.status.nodeInfo.kubeletVersion}}{{"\\n"}}{{end}}'
timeout 8 ${KUBECTL} -n kube-system get configmap ${RECORD} --ignore-not-found --request-timeout=5s -o go-template='{{range $n, $words := .data}}ours {{$n}} {{$words}}{{"\\n"}}{{end}}'`,
};

/** The labels that say what a node is for; the kubelet may not set them itself (NodeRestriction). */
const ROLE_LABELS = { 'control-plane': 'node-role.kubernetes.io/control-plane', worker: 'node-role.kubernetes.io/worker' };

function labelsOf(host: Host): string[] {
  const labels = {
    ...(isControlPlane(host) ? { [ROLE_LABELS['control-plane']]: '' } : {}),
    ...(host.roles.includes('worker') ? { [ROLE_LABELS.worker]: '' } : {}),
    ...host.labels,
  };
  return Object.entries(labels).map(([key, value]) => `${key}=${value}`);
}

const taintsOf = (host: Host): string[] => nodeTaints(host).map(({ key, value, effect }) => `${key}=${value}:${effect}`);

const keyOf = (label: string): string => label.split('=')[0]!;
const keyAndEffectOf = (taint: string): string => taint.replace(/=.*:/, ':');
const wordsOf = (host: Host): string[] => [...labelsOf(host).map(keyOf), ...taintsOf(host).map(keyAndEffectOf)];

/** What nodes have from an earlier cluster file: labels by their keys, taints by `KEY:EFFECT`. What is of the roles was ours before any was recorded. */
function leftOn(context: Context): (host: Host) => string[] {
  const lines = nodesAsTold(context).split('\n');
  const all = groupBy(lines, (line) => line.split(' ')[1] ?? '');
  return (host) => {
    const own = all.get(host.name) ?? [];
    const after = (what: string): string[] =>
      own.filter((line) => line.startsWith(`${what} `)).map((line) => line.split(' ').slice(2).join(' '));
    const has = [...after('label').map(keyOf), ...after('taint').map(keyAndEffectOf)];
    const ours = [
      ...after('ours').flatMap((words) => words.split(' ')),
      ...Object.values(ROLE_LABELS),
      `${CONTROL_PLANE_TAINT.key}:${CONTROL_PLANE_TAINT.effect}`,
    ];
    const wanted = wordsOf(host);
    return [...new Set(ours)].filter((word) => has.includes(word) && !wanted.includes(word)).sort();
  };
}

/** Hosts with the same labels and taints, wanted and left: one call of kubectl serves all of them. */
function groupAlike(hosts: readonly Host[], leftOf: (host: Host) => string[]): { hosts: Host[]; left: readonly string[] }[] {
  const groups = groupBy(hosts, (host) => JSON.stringify([labelsOf(host), taintsOf(host), leftOf(host)]));
  return [...groups.values()].map((alike) => ({ hosts: alike, left: leftOf(alike[0]!) }));
}

/** Labels and taints go through the API, where a kubelet may not set them itself (NodeRestriction). */
function nodeSettings(hosts: readonly Host[], left: readonly string[]): ScriptAction {
  const labels = [...labelsOf(hosts[0]!), ...left.filter((word) => !word.includes(':')).map((key) => `${key}-`)];
  const taints = taintsOf(hosts[0]!);
  const gone = left.filter((word) => word.includes(':')).map((taint) => `${taint}-`);
  const words = (all: readonly string[]): string => sh`${all}`;
  return {
    kind: 'script',
    each: hosts.map(({ name }) => name),
    script: [
      `s_kubectl() { ${KUBECTL} "$@" </dev/null; }
s_label() { s_kubectl label --overwrite nodes "$@" ${words(labels)}; }
s_taint() { s_kubectl taint --overwrite nodes "$@" ${words(taints)}; }
s_untaint() {
  for s_node; do
    for s_taint in ${words(gone)}; do
      s_out=$(s_kubectl taint nodes "$s_node" "$s_taint" 2>&1) || case $s_out in *taint*'not found'*) ;; *) echo "$s_out"; return 1 ;; esac
    done
  done
}
s_record() {
  s_kubectl -n kube-system get configmap ${RECORD} -o name 2>/dev/null || s_kubectl -n kube-system create configmap ${RECORD} || return 1
  s_kubectl -n kube-system label --overwrite configmap ${RECORD} app.kubernetes.io/managed-by=slipway
  s_data=$(for s_node; do printf ',"%s":"%s"' "$s_node" ${quote(wordsOf(hosts[0]!).join(' '))}; done)
  s_kubectl -n kube-system patch configmap ${RECORD} --type merge -p "$(printf '{"data":{%s}}' "\${s_data#,}")"
}`,
      // A kubelet registers its node a moment after the API server is there.
      ...(labels.length > 0 ? [untilDone('s_label "$@"', 180)] : []),
      ...(taints.length > 0 ? [untilDone('s_taint "$@"', 180)] : []),
      ...(gone.length > 0 ? [untilDone('s_untaint "$@"', 60)] : []),
      untilDone('s_record "$@"', 60),
    ].join('\n'),
    done: {
      probe: NODES_PROBE.name,
      lines: hosts.flatMap(nodeLines),
    },
  };
}

/** What the probe prints of a node that is as the cluster file says. */
function nodeLines(host: Host): string[] {
  const { name } = host;
  return [
    ...labelsOf(host).map((label) => `label ${name} ${label}`),
    ...taintsOf(host).map((taint) => `taint ${name} ${taint}`),
    `ours ${name} ${wordsOf(host).join(' ')}`,
  ];
}
