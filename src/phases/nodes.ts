import { quote } from '../base/quote.ts';
import { controlPlanes, isControlPlane, isNode, KUBECTL } from '../components/topology.ts';
import type { Host } from '../config/cluster.ts';
import type { Phase } from '../engine/phase.ts';
import type { ScriptAction } from '../engine/step.ts';
import { plannedHosts, type Context } from './context.ts';
import { untilDone } from './manifests.ts';

/** Last: a node that does not register is explained by the units of its own host, which are waited for before. */
export const nodes: Phase<Context> = {
  id: 'nodes',
  title: 'Nodes',
  summary: 'Labels and taints the nodes.',
  plan(context) {
    const speaker = speakerOf(context);
    const planned = plannedHosts(context);
    if (!speaker) return [];
    return groupAlike(planned.filter(isNode)).map((hosts) => ({
      id: `${speaker.name}/nodes/${hosts[0]!.name}`,
      host: speaker.name,
      words: `set labels and taints of ${hosts.map(({ name }) => name).join(', ')}`,
      action: nodeSettings(hosts),
      // A node that cannot register any more is not waited for.
      needs: hosts.map(({ name }) => `${name}/kubelet/unit`),
    }));
  },
};

/**
 * One control plane speaks for the cluster; the API is the same on all. It is one that works already, or the first. Undefined: the plan may touch
 * none.
 */
export function speakerOf(context: Context): Host | undefined {
  const all = controlPlanes(context.cluster);
  if (context.speaker !== undefined) return all.find(({ name }) => name === context.speaker);
  const planned = plannedHosts(context).filter(isControlPlane);
  const works = (host: Host): boolean => (context.states[host.name]?.probes[NODES_PROBE.name] ?? '') !== '';
  return planned.find(works) ?? planned.find((host) => host === all[0]);
}

/** Nodes of the plan whose labels or taints are not what they should be, and stay so because the host that would set them is outside of the limit. */
export function leftUnlabelled(context: Context): string[] {
  const planned = plannedHosts(context);
  if (speakerOf(context)) return [];
  const lines = (context.states[controlPlanes(context.cluster)[0]!.name]?.probes[NODES_PROBE.name] ?? '').split('\n');
  return planned.filter((host) => isNode(host) && nodeLines(host).some((line) => !lines.includes(line))).map(({ name }) => name);
}

export const NODES_PROBE = {
  name: 'nodes',
  script: `[ -f /etc/kubernetes/super-admin.conf ] || exit 0
timeout 8 ${KUBECTL} get nodes --request-timeout=5s -o go-template='{{range .items}}{{$n := .metadata.name}}{{range $k, $v := .metadata.labels}}label {{$n}} {{$k}}={{$v}}{{"\\n"}}{{end}}{{range .spec.taints}}taint {{$n}} {{.key}}={{with .value}}{{.}}{{end}}:{{.effect}}{{"\\n"}}{{end}}{{range .status.conditions}}{{if eq .type "Ready"}}ready {{$n}} {{.status}}{{"\\n"}}{{end}}{{end}}version {{$n}} {{.status.nodeInfo.kubeletVersion}}{{"\\n"}}{{end}}'`,
};

function labelsOf(host: Host): string[] {
  const labels = {
    ...(isControlPlane(host) ? { 'node-role.kubernetes.io/control-plane': '' } : {}),
    ...(host.roles.includes('worker') ? { 'node-role.kubernetes.io/worker': '' } : {}),
    ...host.labels,
  };
  return Object.entries(labels).map(([key, value]) => `${key}=${value}`);
}

const taintsOf = ({ taints }: Host): string[] => taints.map(({ key, value, effect }) => `${key}=${value}:${effect}`);

/** Hosts with the same labels and taints: one call of kubectl serves all of them. */
function groupAlike(hosts: readonly Host[]): Host[][] {
  const groups = new Map<string, Host[]>();
  for (const host of hosts) {
    const key = JSON.stringify([labelsOf(host), taintsOf(host)]);
    groups.set(key, [...(groups.get(key) ?? []), host]);
  }
  return [...groups.values()];
}

/** Labels and taints go through the API, where a kubelet may not set them itself (NodeRestriction). */
function nodeSettings(hosts: readonly Host[]): ScriptAction {
  const labels = labelsOf(hosts[0]!);
  const taints = taintsOf(hosts[0]!);
  const nodes = hosts.map(({ name }) => name).join(' ');
  const commands = [
    ...(labels.length > 0 ? [`label --overwrite nodes ${nodes} ${labels.map(quote).join(' ')}`] : []),
    ...(taints.length > 0 ? [`taint --overwrite nodes ${nodes} ${taints.map(quote).join(' ')}`] : []),
  ];
  return {
    kind: 'script',
    // A kubelet registers its node a moment after the API server is there.
    script: commands.map((command) => untilDone(`${KUBECTL} ${command}`, 180)).join('\n'),
    done: {
      probe: NODES_PROBE.name,
      lines: hosts.flatMap(nodeLines),
    },
  };
}

/** What the probe prints of a node that is as the cluster file says. */
function nodeLines(host: Host): string[] {
  return [...labelsOf(host).map((label) => `label ${host.name} ${label}`), ...taintsOf(host).map((taint) => `taint ${host.name} ${taint}`)];
}
