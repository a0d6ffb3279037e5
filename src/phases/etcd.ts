import { SlipwayError } from '../base/errors.ts';
import { quote, sh } from '../base/quote.ts';
import { bootstrapEnvironment, etcd as component, ETCDCTL } from '../components/etcd.ts';
import { etcdMembers, isEtcdMember } from '../components/topology.ts';
import type { Host } from '../config/cluster.ts';
import { sha256 } from '../engine/actions/file.ts';
import type { Phase } from '../engine/phase.ts';
import { stepId, waiting, type Desired, type StepId } from '../engine/step.ts';
import { plannedHosts, stateOf, type Context } from './context.ts';
import { install, type Installation } from './install.ts';
import { untilDone } from './manifests.ts';
import { hasData, knownMembers, peerUrl, type KnownMembers, type Member } from './members.ts';
import { rolledOut } from './rollout/index.ts';
import { unitStep } from './step-ids.ts';

const ENVIRONMENT = '/etc/etcd/bootstrap.env';

export const etcd: Phase<Context> = {
  id: 'etcd',
  title: 'etcd',
  summary:
    'Starts all etcd members of a new cluster together, and restarts members that serve one after the other; adds later ones one at a time, as learners that are promoted when they have caught up.',
  plan(context) {
    const installations = install(context, component);
    const known = knownMembers(context);
    if (!known) refuseUnknown(context);
    const joining = known ? installations.filter(({ host }) => !isMember(context, known.members, host)) : [];
    return [
      ...installations.filter((installation) => !joining.includes(installation)).flatMap(rolledOut(context)),
      ...(known ? joinInTurn(context, known, joining) : []),
    ];
  },
};

/** One new member after the other: etcd takes one learner at a time. */
function joinInTurn(context: Context, { by, members }: KnownMembers, joining: readonly Installation[]): Desired[] {
  const hosts = joining.map(({ host }) => host);
  // What an earlier member lost with its disk is no member any more when it comes back.
  let list = members.filter((member) => !hosts.some((host) => peerUrl(host) === member.peerUrl));
  let before: StepId[] = [];
  return joining.flatMap(({ host, inputs, start }) => {
    const listed = members.find((member) => member.peerUrl === peerUrl(host));
    list = [...list, { id: '', name: host.name, peerUrl: peerUrl(host), started: false, learner: true }];
    const environment = environmentOf(context, { members: list, state: 'existing' });
    const add: Desired = {
      id: stepId(by.name, 'etcd', `add-${host.name}`),
      host: by.name,
      summary: `add ${host.name} to etcd as a learner`,
      action: { kind: 'script', script: addLearner(host, listed?.started === true && !hasData(context, host) ? listed : undefined) },
      needs: before,
    };
    const promote: Desired = {
      id: stepId(by.name, 'etcd', `promote-${host.name}`),
      host: by.name,
      summary: `promote ${host.name} when it has caught up`,
      action: { kind: 'script', script: promoteLearner(host) },
      needs: [unitStep(host, component)],
    };
    before = [promote.id];
    const own = hasData(context, host) ? inputs : inputs.map((step) => bootstrapped(step, environment));
    return [add, ...own, waiting(start!, { needs: [add.id] }), promote];
  });
}

/** The same step; where it writes what a member starts from for the first time, with the members that it will find. */
function bootstrapped(step: Desired, environment: string): Desired {
  if (step.action.kind !== 'file' || step.action.path !== ENVIRONMENT) return step;
  const { once: _, ...action } = step.action;
  return { ...step, action: { ...action, content: { text: environment } } };
}

function isMember(context: Context, members: readonly Member[], host: Host): boolean {
  const listed = members.find((member) => member.peerUrl === peerUrl(host));
  // A member that did not start yet may be one of a cluster that is only just being made.
  return listed !== undefined && !listed.learner && (!listed.started || hasData(context, host));
}

/** Members that etcd cannot tell us are added to nothing: the newcomer would found a cluster of its own. */
function refuseUnknown(context: Context): void {
  const hosts = etcdMembers(context.cluster);
  const founded = hosts.filter((host) => hasData(context, host));
  const founding = sha256(environmentOf(context, { members: foundersOf(hosts), state: 'new' }));
  const grown = founded.some((host) => stateOf(context, host).files[ENVIRONMENT]?.sha256 !== founding);
  const newcomers = plannedHosts(context).filter((host) => isEtcdMember(host) && !hasData(context, host));
  if (!grown || newcomers.length === 0) return;
  throw new SlipwayError(
    `${newcomers.map(({ name }) => name).join(', ')} cannot be added to etcd, which does not answer on any control plane`,
    {
      code: 'ETCD_SILENT',
      category: 'refused',
      where: { host: newcomers[0]!.name },
      hint: 'slipway status and slipway verify show what is wrong with it; a member can be added only while most of the others are up',
    },
  );
}

const foundersOf = (hosts: readonly Host[]): Pick<Member, 'name' | 'peerUrl'>[] =>
  hosts.map((host) => ({ name: host.name, peerUrl: peerUrl(host) }));

function environmentOf(
  context: Context,
  { members, state }: { members: readonly Pick<Member, 'name' | 'peerUrl'>[]; state: 'new' | 'existing' },
): string {
  return context.render(
    'etcd/bootstrap.env.hbs',
    bootstrapEnvironment(context.cluster, { state, members: members.map(({ name, peerUrl: url }) => ({ name, url })) }),
  );
}

/** The line of a member in what `etcdctl member list` prints: id, status, name, peer URL, client URL, learner. */
const line = (host: Host): string => `${ETCDCTL} --command-timeout=10s member list -w simple | grep -F ${quote(`, ${peerUrl(host)},`)}`;

/** @see https://etcd.io/docs/v3.6/learning/design-learner/ */
function addLearner(host: Host, lost: Member | undefined): string {
  const remove = lost === undefined ? '' : `${untilDone(`${ETCDCTL} --command-timeout=10s member remove ${quote(lost.id)}`, 60)}\n`;
  return `${remove}s_add() { ${line(host)} || ${ETCDCTL} --command-timeout=10s member add ${sh`${host.name} --learner --peer-urls=${peerUrl(host)}`}; }
${untilDone('s_add', 60)}`;
}

/** Refused by etcd until the learner has all but the newest of its leader's log. */
function promoteLearner(host: Host): string {
  return `s_promote() {
  s_line=$(${line(host)}) || { echo ${quote(`${host.name} is no member`)}; return 1; }
  case $s_line in *', false') return 0 ;; esac
  ${ETCDCTL} --command-timeout=10s member promote "\${s_line%%,*}"
}
${untilDone('s_promote', 180)}`;
}
