import { SlipwayError } from '../../base/errors.ts';
import { sh } from '../../base/quote.ts';
import { list } from '../../base/words.ts';
import type { Component } from '../../components/component.ts';
import { declarations } from '../../components/declare.ts';
import { etcd, etcdctlOfMember, LOCAL_ETCDCTL } from '../../components/etcd.ts';
import { components as all } from '../../components/index.ts';
import { kubeApiserver } from '../../components/kube-apiserver.ts';
import { node } from '../../components/node.ts';
import { etcdClientUrl, etcdMembers, isControlPlane, isEtcdMember, KUBECTL } from '../../components/topology.ts';
import type { Host } from '../../config/cluster.ts';
import { reasonFor } from '../../engine/actions/index.ts';
import { wantedDigest } from '../../engine/plan.ts';
import { stepId, waiting, type Desired } from '../../engine/step.ts';
import { plannedHosts, stateOf, type Context } from '../context.ts';
import { foreignUnits } from '../foreign/units.ts';
import { installOn, stepsOf, type Installation, type UnitStep } from '../install.ts';
import { quorumOf } from '../members.ts';
import { servesStep, unitStep } from '../step-ids.ts';
import { isLoaded, RESTARTS, restarts, running, serves, TIMEOUT } from './turn.ts';

const unitOf = ({ name }: Component): string => `${name}.service`;

const components = all.filter(({ rollout }) => rollout === 'one-by-one');

/**
 * Gives what a cluster has several of, so that one may be away, its turn host by host: on a host one component after the other, and the next host only
 * when all of it is well there. Everything that they run from is replaced in the host's turn and not before, and put back when one of them does not serve
 * then. What does not serve is started at once, and the others wait for it too. Hosts that are new to the cluster are nobody's concern before they serve.
 */
export function oneByOne(context: Context): (installation: Installation) => Desired[] {
  const turns = turnsOf(context);
  // Members with different authorities are no cluster that one of them could be spared from.
  if (turns.some((host) => foreignUnits(context, host).length > 0)) return (installation) => stepsOf([installation]);
  const shared = new Map(turns.map((host) => [host, filesOf(context, host, node).map(({ id }) => id)]));
  const intact = new Map(turns.map((host) => [host, isIntact(context, host)]));
  const effect = turns.filter((host) => isControlPlane(host)).length > 1 ? 'the API goes on answering' : 'the API is away for some seconds';
  return (installation) => {
    const { host, component, inputs, start } = installation;
    if (start === undefined || !turns.includes(host) || !isLoaded(context, host, unitOf(component))) return stepsOf([installation]);
    if (!serves(context, host, unitOf(component))) return [...inputs, start, gate(context, host, component)];
    if (component === etcd && restarts(context, installation)) refuseToLoseQuorum(context, host);
    const others = turns.slice(0, turns.indexOf(host));
    const turn = {
      needs: shared.get(host)!,
      after: others.flatMap((other) => components.map((each) => servesStep(other, each))),
    };
    if (!intact.get(host)!) return mended(context, installation, turn);
    const change = `${host.name}/control-plane`;
    const taking = <D extends Desired>(step: D): D => ({ ...waiting(step, turn), lane: 'rollout', change });
    const restart = taking({ ...start, effect });
    const last: Desired = { ...gate(context, host, component), change };
    return [
      ...inputs.map(taking),
      ...(component === etcd ? [{ ...handOver(host), change }, withApiServer(context, host, restart)] : [restart]),
      last,
    ];
  };
}

/**
 * Whether everything is there that an earlier run has put there: otherwise there is nothing to put back, one component is no help to another, and what is
 * missing comes at once; only the restarts have their turns.
 */
function isIntact(context: Context, host: Host): boolean {
  const state = stateOf(context, host);
  return filesOf(context, host, ...components).every((step) => {
    const { id, action } = step;
    if ((action.kind !== 'file' && action.kind !== 'link') || state.recorded[id] === undefined) return true;
    if (state.files[action.path] === undefined && state.links[action.path] === undefined) return false;
    // A certificate that is to be renewed is what it was.
    if (action.kind === 'file' && 'ref' in action.content) return true;
    return state.recorded[id] !== wantedDigest(step) || reasonFor(action, state) === undefined;
  });
}

function mended(context: Context, { host, component, inputs, start }: Installation, turn: Pick<Desired, 'needs' | 'after'>): Desired[] {
  // An API server is restarted with its member of etcd.
  const restarted = component === etcd ? [etcd, kubeApiserver] : [component];
  const files = filesOf(context, host, ...restarted).map(({ id }) => id);
  const restart: UnitStep = { ...waiting(waiting(start!, { needs: files }), turn), lane: 'rollout' };
  return [...inputs, component === etcd ? withApiServer(context, host, restart) : restart, gate(context, host, component)];
}

/**
 * A member that restarts is missed for a moment: with another one that is away, that may be one too many. Where there is no quorum already nothing is
 * lost, and two members can spare none at any time.
 */
function refuseToLoseQuorum(context: Context, host: Host): void {
  const members = etcdMembers(context.cluster);
  const planned = plannedHosts(context);
  const there = members.filter((member) => planned.includes(member) || serves(context, member, unitOf(etcd)));
  const quorum = quorumOf(members.length);
  if (there.length === members.length || there.length < quorum || there.length > quorum) return;
  const away = members.filter((member) => !there.includes(member)).map(({ name }) => name);
  throw new SlipwayError(`etcd on ${host.name} cannot be restarted while ${list(away)} ${away.length === 1 ? 'does' : 'do'} not answer`, {
    code: 'QUORUM_AT_RISK',
    category: 'refused',
    where: { host: host.name },
    hint: `etcd has ${members.length} members and needs ${quorum}: bring ${list(away)} back, or take it out (slipway remove ${away[0]!} --dead), and run the command again`,
  });
}

/** What is broken first: the others cannot be spared before it is back. */
function turnsOf(context: Context): Host[] {
  const hosts = plannedHosts(context).filter((host) => isEtcdMember(host) || isControlPlane(host));
  const broken = (host: Host): boolean =>
    components.some((component) => isLoaded(context, host, unitOf(component)) && !serves(context, host, unitOf(component)));
  return [...hosts.filter(broken), ...hosts.filter((host) => !broken(host))];
}

/**
 * An API server beside its member of etcd leaves the load balancers and ends before it, and comes back after it: without etcd it would fail what it is
 * asked, and take a minute and a half to end.
 */
function withApiServer(context: Context, host: Host, step: UnitStep): UnitStep {
  if (!isControlPlane(host) || !serves(context, host, unitOf(kubeApiserver))) return step;
  return { ...step, action: { ...step.action, clients: [unitOf(kubeApiserver)] } };
}

/**
 * Without a leader etcd answers nobody for as long as an election takes; handed over, it is away for a few milliseconds. A member that does not take it
 * is no reason to stop: then there is an election.
 *
 * @see https://etcd.io/docs/v3.6/dev-guide/api_reference_v3/ (MoveLeader)
 */
function handOver(host: Host): Desired {
  return {
    id: stepId(host.name, etcd.name, 'leadership'),
    host: host.name,
    summary: 'hand the leadership of etcd to another member, should it be here',
    action: {
      kind: 'script',
      script: `s_etcd() { ${LOCAL_ETCDCTL} --dial-timeout=2s --command-timeout=5s "$@"; }
s_status=$(s_etcd endpoint status -w fields) || exit 0
s_field() { printf '%s\n' "$s_status" | sed -n "s/^\"$1\" : //p"; }
[ "$(s_field Leader)" = "$(s_field MemberID)" ] || exit 0
s_members=$(s_etcd member list -w simple) || exit 0
printf '%s\n' "$s_members" | awk -F', ' -v own=${sh`${host.name}`} '$2 == "started" && $3 != own && $6 == "false" { print $1 }' | while read -r s_id; do
  ! s_etcd move-leader "$s_id" </dev/null || break
done
:`,
    },
    lane: 'rollout',
    onlyIfAny: [unitStep(host, etcd)],
  };
}

function gate(context: Context, host: Host, component: Component): Desired {
  const unit = unitStep(host, component);
  return {
    id: servesStep(host, component),
    host: host.name,
    summary: `wait until ${component.name} serves again`,
    action: {
      kind: 'wait',
      condition: healthOf(context, host, component),
      timeoutSeconds: TIMEOUT,
      units: [unitOf(component)],
      restarts: RESTARTS,
    },
    needs: [unit],
    onlyIfAny: [unit],
    lane: 'rollout',
  };
}

/** Everything of these components but their start. */
function filesOf(context: Context, host: Host, ...wanted: readonly Component[]): Desired[] {
  return installOn(context, host, ...wanted).flatMap(({ inputs }) => inputs);
}

/**
 * Load balancers ask a server that was away five times a second; and the next one serves on for the four seconds of its --shutdown-delay-duration: so
 * none of them is without a server when this one is ready.
 */
const API_SERVES = `${running(unitOf(kubeApiserver))}
${KUBECTL} get --raw /readyz --request-timeout=5s`;

function healthOf(context: Context, host: Host, component: Component): string {
  if (component === kubeApiserver) return API_SERVES;
  const unit = running(unitOf(component));
  if (component === etcd) {
    // Members that are not there do not keep the others from their turn.
    const members = context.cluster.hosts
      .filter((other) => other.name === host.name || (isEtcdMember(other) && serves(context, other, unitOf(etcd))))
      .map(etcdClientUrl);
    return `${unit}
${etcdctlOfMember(members.join(','))} --command-timeout=5s endpoint health || exit 1
${isControlPlane(host) && serves(context, host, unitOf(kubeApiserver)) ? API_SERVES : ''}`;
  }
  const { port, path } = declarations(context, host).find((declared) => declared.component === component)!.declaration.health!;
  return `${unit}
${KUBECTL} --server=https://127.0.0.1:${port} --insecure-skip-tls-verify get --raw ${path} --request-timeout=5s`;
}
