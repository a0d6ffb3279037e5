import { imageReference } from '../artifacts/catalogue.ts';
import { controlPlanes, dnsServiceAddress, isControlPlane, isNode, KUBECTL } from '../components/topology.ts';
import type { Cluster, Host } from '../config/cluster.ts';
import type { Phase } from '../engine/phase.ts';
import type { Desired, ScriptAction } from '../engine/step.ts';
import { quote } from '../base/quote.ts';
import { clusterAdmins, superAdmins } from '../components/groups.ts';
import { plannedHosts, type Context } from './context.ts';
import { applyManifest, untilDone } from './manifests.ts';

export const addons: Phase<Context> = {
  id: 'addons',
  title: 'Cluster services',
  summary: 'Grants the components’ permissions, labels the nodes, and starts CoreDNS.',
  plan(context) {
    const { cluster } = context;
    // One control plane speaks for the cluster; the API is the same on all.
    const speaker = speakerOf(cluster);
    const planned = plannedHosts(context);
    if (!planned.includes(speaker)) return [];
    const id = (slug: string): string => `${speaker.name}/addons/${slug}`;
    const apply = (name: string, words: string, text: string): Desired => ({
      id: id(name),
      host: speaker.name,
      words,
      action: applyManifest(name, text),
    });

    const work: Desired[] = [
      apply('access', 'grant the components their permissions', context.render('cluster/access.yaml.hbs', { clusterAdmins, superAdmins })),
      ...(cluster.addons.coredns && everyNodeWasRead(context) ? [apply('coredns', 'apply CoreDNS', coredns(context))] : []),
      apply(
        'service-accounts',
        'take the API token away from default ServiceAccounts',
        context.render('cluster/service-accounts.yaml.hbs', { namespaces: ['default', 'kube-node-lease', 'kube-public', 'kube-system'] }),
      ),
      ...groupAlike(planned.filter(isNode)).map((hosts) => ({
        id: id(`nodes-${hosts[0]!.name}`),
        host: speaker.name,
        words: `set labels and taints of ${hosts.map(({ name }) => name).join(', ')}`,
        action: nodeSettings(hosts),
        // A node that cannot register any more is not waited for.
        needs: hosts.map(({ name }) => `${name}/kubelet/unit`),
      })),
    ];
    const ready: Desired = {
      id: id('api'),
      host: speaker.name,
      words: 'wait until the API server is ready',
      action: {
        kind: 'wait',
        // The unit says READY when it serves; a call of kubectl would cost a hundred times as much as this look.
        condition: 's=$(systemctl is-active kube-apiserver) || { echo "kube-apiserver is $s"; exit 1; }',
        timeoutSeconds: 180,
        units: ['etcd.service', 'kube-apiserver.service'],
        // Neither waits for anything else that may not be there yet: an API server waits 20 s for its etcd before it ends.
        restarts: 12,
      },
      onlyWith: [...work.map((step) => step.id), ...controlPlanes(cluster).map((host) => `${host.name}/kube-apiserver/unit`)],
    };
    return [ready, ...work];
  },
};

export const speakerOf = (cluster: Cluster): Host => controlPlanes(cluster)[0]!;

/** CoreDNS' configuration depends on all nodes: with one of them out of a limit's reach it stays as it is. */
function everyNodeWasRead({ cluster, facts }: Context): boolean {
  return cluster.hosts.filter(isNode).every(({ name }) => facts[name] !== undefined);
}

/** Nodes of the plan whose labels or taints are not what they should be, and stay so because the host that would set them is outside of the limit. */
export function leftUnlabelled(context: Context): string[] {
  const speaker = speakerOf(context.cluster);
  const planned = plannedHosts(context);
  if (planned.includes(speaker)) return [];
  const lines = (context.states[speaker.name]?.probes[NODES_PROBE.name] ?? '').split('\n');
  return planned.filter((host) => isNode(host) && nodeLines(host).some((line) => !lines.includes(line))).map(({ name }) => name);
}

function coredns(context: Context): string {
  const { cluster, facts } = context;
  return context.render('coredns/coredns.yaml.hbs', {
    image: imageReference('image-coredns', context.versions.coredns),
    clusterDomain: cluster.network.clusterDomain,
    clusterIp: dnsServiceAddress(cluster),
    replicas: cluster.hosts.filter(isNode).length > 1 ? 2 : 1,
    // CoreDNS does not start with nothing to forward to.
    forward: cluster.hosts.filter(isNode).every((host) => facts[host.name]!.resolvConf.nameservers.length > 0),
  });
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
