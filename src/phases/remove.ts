import { SlipwayError } from '../base/errors.ts';
import { quote } from '../base/quote.ts';
import { ETCDCTL, etcdctlAt } from '../components/etcd.ts';
import {
  controlPlanes,
  etcdClientUrl,
  isControlPlane,
  isEtcdMember,
  isNode,
  KUBECTL,
  leasesInEtcd,
  nodeAddress,
} from '../components/topology.ts';
import type { Cluster, Host } from '../config/cluster.ts';
import type { Phase } from '../engine/phase.ts';
import { stepId, waiting, type Desired, type StepId } from '../engine/step.ts';
import { endpointLists } from './api-endpoint.ts';
import { plannedHosts, stateOf, type Context } from './context.ts';
import { drainScript } from './drain.ts';
import { forgetLease } from './flannel-store.ts';
import { untilDone } from './manifests.ts';
import { knownMembers, quorumOf, type Member } from './members.ts';
import { NODES_PROBE, observerOf } from './nodes.ts';
import { reloadStep, removalStep, resetStep } from './step-ids.ts';

export interface Removal {
  /** The hosts are gone for ever: nothing is done on them. */
  dead: boolean;
  /** Pods without a controller are deleted too, and disruption budgets are not asked. */
  force: boolean;
  /** How long pods may take to leave, in seconds. */
  timeout: number;
}

/** What the observer does for a host that leaves; nothing is planned of it that is done already. */
const stepOf = (context: Context, what: 'drain' | 'leave-etcd' | 'node', host: Host): StepId =>
  removalStep(observerOf(context)!, what, host);

/** Evicts the pods, so that what runs there starts elsewhere first. */
export function drain({ dead, force, timeout }: Removal): Phase<Context> {
  return {
    id: 'drain',
    title: 'Drain',
    summary: 'Takes no new pods to the nodes, and evicts those that are there; disruption budgets are respected.',
    plan: (context) =>
      plannedHosts(context)
        .filter((host) => isNode(host) && nodeExists(context, host))
        .map((host): Desired => ({
          id: stepOf(context, 'drain', host),
          host: observerOf(context)!.name,
          concerns: host.name,
          summary: dead ? `cordon ${host.name}` : `cordon and drain ${host.name}`,
          action: dead
            ? { kind: 'script', script: `${KUBECTL} cordon ${quote(host.name)}` }
            : {
                kind: 'script',
                script: drainScript({ node: host.name, force, timeout, kubelet: kubeletRuns(context, host) }),
                progress: true,
                timeoutSeconds: timeout,
              },
        })),
  };
}

function kubeletRuns(context: Context, host: Host): boolean {
  return ['active', 'activating'].includes(stateOf(context, host).units['kubelet.service']?.active ?? '');
}

/** Nobody is sent to an API server that is about to stop. */
export const leaveEndpoints: Phase<Context> = {
  id: 'leave-endpoints',
  title: 'Leave the API endpoints',
  summary: 'Takes the API servers that go from the lists of all other hosts.',
  plan(context) {
    const leaving = plannedHosts(context).filter(isControlPlane);
    if (leaving.length === 0) return [];
    const drained = leaving.map((host) => stepOf(context, 'drain', host));
    return endpointLists(afterwards(context), reached(context)).map((step) => waiting(step, { after: drained }));
  },
};

const staying = (context: Context): Host[] => context.cluster.hosts.filter((host) => !plannedHosts(context).includes(host));
/** The same with the cluster that is left. */
const afterwards = (context: Context): Context => ({ ...context, cluster: { ...context.cluster, hosts: staying(context) } });
const reached = (context: Context): Host[] => staying(context).filter(({ name }) => context.facts[name] !== undefined);

/** A control plane stops serving before its etcd goes; a member leaves while it still counts. */
export function leaveEtcd({ dead }: Removal): Phase<Context> {
  return {
    id: 'leave-etcd',
    title: 'Leave etcd',
    summary: 'Stops the control plane of the host, and takes its member out of etcd.',
    plan(context) {
      const known = knownMembers(afterwards(context));
      const unlisted = reached(context).map(reloadStep);
      return plannedHosts(context).flatMap((host): Desired[] => {
        const member = known?.members.find(({ name }) => name === host.name);
        const stopApi: Desired = {
          id: stepId(host.name, 'remove', 'control-plane'),
          host: host.name,
          summary: 'stop its API server, controller manager and scheduler',
          action: {
            kind: 'script',
            script: 'systemctl stop kube-apiserver.service kube-controller-manager.service kube-scheduler.service 2>/dev/null || :',
          },
          after: [stepOf(context, 'drain', host), ...unlisted],
        };
        const serves = isControlPlane(host) && !dead && context.facts[host.name] !== undefined;
        if (!member) return serves ? [stopApi] : [];
        return [
          ...(serves ? [stopApi] : []),
          {
            id: stepOf(context, 'leave-etcd', host),
            host: observerOf(context)!.name,
            concerns: host.name,
            summary: `take ${host.name} out of etcd`,
            action: {
              kind: 'script',
              script: leaveScript(context, { host, member, heir: serves ? heirOf(context, known!.members, member) : undefined }),
            },
            after: [stepOf(context, 'drain', host), stopApi.id],
          },
        ];
      });
    },
  };
}

/** A phase of reset, once the cluster needs the host no more. */
export function onceLeft(phase: Phase<Context>): Phase<Context> {
  return afterSteps(phase, (context, host) => [stepOf(context, 'drain', host), stepOf(context, 'leave-etcd', host)]);
}

/** A phase of reset, once the cluster knows nothing of the host any more either. */
export function onceForgotten(phase: Phase<Context>): Phase<Context> {
  return afterSteps(onceLeft(phase), (context, host) => [stepOf(context, 'node', host)]);
}

function afterSteps(phase: Phase<Context>, steps: (context: Context, host: Host) => StepId[]): Phase<Context> {
  return {
    ...phase,
    plan: (context) =>
      phase.plan(context).map((step) => {
        const host = context.cluster.hosts.find(({ name }) => name === step.host)!;
        return waiting(step, { after: steps(context, host) });
      }),
  };
}

export const forgetNodes: Phase<Context> = {
  id: 'forget-nodes',
  title: 'Forget the nodes',
  summary: 'Deletes the nodes.',
  plan: (context) =>
    plannedHosts(context)
      .filter((host) => isNode(host) && nodeExists(context, host))
      .map((host): Desired => ({
        id: stepOf(context, 'node', host),
        host: observerOf(context)!.name,
        concerns: host.name,
        summary: `delete the node ${host.name}`,
        action: {
          kind: 'script',
          script: `${KUBECTL} delete node ${quote(host.name)} --ignore-not-found${leasesInEtcd(context.cluster) ? `\n${forgetLease(nodeAddress(host))}` : ''}`,
        },
        // A kubelet that still runs would register it again, and a bridge that is left would have the subnet that the node loses.
        after: [stepOf(context, 'drain', host), stepOf(context, 'leave-etcd', host), resetStep(host, 'units'), resetStep(host, 'network')],
      })),
};

interface Leaving {
  host: Host;
  member: Member;
  /** Who leads after it, if it leads. */
  heir: Member | undefined;
}

function leaveScript(context: Context, { host, member, heir }: Leaving): string {
  return [
    // A leader that just goes leaves an election behind, and requests that wait for its end. Whoever does not lead refuses this.
    ...(heir ? [`${etcdctlAt(quote(etcdClientUrl(host)))} --command-timeout=5s move-leader ${quote(heir.id)} >/dev/null 2>&1 || :`] : []),
    untilDone(`${ETCDCTL} --command-timeout=10s member remove ${quote(member.id)}`, 60),
    // What etcd asks its clients for: the host's certificate outlives its membership.
    ...(leasesInEtcd(context.cluster) ? [`${ETCDCTL} --command-timeout=10s user delete ${quote(host.name)} || :`] : []),
  ].join('\n');
}

/** Of the members that stay and vote, the one on the observer, else the first. */
function heirOf(context: Context, members: readonly Member[], leaving: Member): Member | undefined {
  const names = staying(context).map(({ name }) => name);
  const heirs = members.filter(({ id, name, started, learner }) => id !== leaving.id && started && !learner && names.includes(name));
  return heirs.find(({ name }) => name === observerOf(context)?.name) ?? heirs[0];
}

function nodeExists(context: Context, host: Host): boolean {
  return (stateOf(context, observerOf(context)!).probes[NODES_PROBE.name] ?? '')
    .split('\n')
    .some((line) => line.startsWith(`version ${host.name} `));
}

/** Whether hosts could leave at all. Throws REMOVE_UNSAFE (refused). */
export function refuseLast(cluster: Cluster, names: readonly string[]): void {
  if (controlPlanes(cluster).some(({ name }) => !names.includes(name))) return;
  throw new SlipwayError('it would leave no control plane', {
    code: 'REMOVE_UNSAFE',
    category: 'refused',
    hint: 'slipway reset gives the whole cluster back; to replace a control plane, join the new one first',
  });
}

/**
 * Refuses what would lose etcd's quorum. `healthy`: names of the members that answer. Throws REMOVE_UNSAFE (refused).
 *
 * @see https://etcd.io/docs/v3.6/op-guide/runtime-configuration/
 */
export function refuseUnsafe(context: Context, { dead, healthy }: { dead: boolean; healthy: ReadonlySet<string> }): void {
  const removed = plannedHosts(context);
  const names = (hosts: readonly Host[]): string => hosts.map(({ name }) => name).join(', ');
  const refuse = (what: string, hint: string): never => {
    throw new SlipwayError(what, { code: 'REMOVE_UNSAFE', category: 'refused', where: { host: removed[0]!.name }, hint });
  };
  const leaving = removed.filter(isEtcdMember);
  if (leaving.length > 1)
    refuse(
      `${names(leaving)} are etcd members, and only one may leave at a time`,
      `in this order, each when the one before is done: ${leaving.map(({ name }) => `slipway remove ${name}`).join('; ')}`,
    );
  const [member] = leaving;
  const members = knownMembers(context)?.members.filter(({ learner }) => !learner);
  if (!member) return;
  if (!members)
    return refuse('etcd does not answer, so that no member can leave it', 'bring the others up first: slipway status shows what is down');
  if (!members.some(({ name }) => name === member.name)) return;
  const others = members.filter(({ name }) => name !== member.name && healthy.has(name)).length;
  const now = others + (dead || !healthy.has(member.name) ? 0 : 1);
  const down = members
    .filter(({ name }) => name !== member.name && !healthy.has(name))
    .map(({ name }) => name || 'a member that never started');
  const hint = down.length > 0 ? `bring up first: ${down.join(', ')}` : `it needs ${member.name} itself: start it`;
  if (now < quorumOf(members.length))
    refuse(`etcd takes no changes: ${now} of its ${members.length} members answer, and ${quorumOf(members.length)} must`, hint);
  if (others < quorumOf(members.length - 1))
    refuse(
      `without ${member.name} etcd would have ${others} healthy ${others === 1 ? 'member' : 'members'} of ${members.length - 1}, and needs ${quorumOf(members.length - 1)}`,
      hint,
    );
}

/** Prints whether each member answers, as JSON. */
export const memberHealth = `${ETCDCTL} --dial-timeout=2s --command-timeout=4s endpoint health --cluster -w json 2>/dev/null || :`;

/** Names of the members that answer. */
export function healthyMembers(context: Context, text: string): Set<string> {
  const answers = text.trim() === '' ? [] : (JSON.parse(text) as { endpoint: string; health: boolean }[]);
  const address = (url: string): string => new URL(url).hostname;
  const members: readonly Member[] = knownMembers(context)?.members ?? [];
  return new Set(
    members
      .filter((member) => answers.some(({ endpoint, health }) => health && address(endpoint) === address(member.peerUrl)))
      .map(({ name }) => name),
  );
}
