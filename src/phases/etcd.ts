import { SlipwayError } from '../base/errors.ts';
import { quote, sh } from '../base/quote.ts';
import { bootstrapEnvironment, etcd as component, ETCDCTL } from '../components/etcd.ts';
import { etcdMembers, isEtcdMember } from '../components/topology.ts';
import type { Host } from '../config/cluster.ts';
import { sha256 } from '../engine/actions/file.ts';
import type { Phase } from '../engine/phase.ts';
import type { Desired } from '../engine/step.ts';
import { plannedHosts, stateOf, type Context } from './context.ts';
import { install } from './install.ts';
import { untilDone } from './manifests.ts';
import { hasData, knownMembers, peerUrl, type Member } from './members.ts';
import { oneByOne } from './one-by-one.ts';

const ENVIRONMENT = '/etc/etcd/bootstrap.env';

export const etcd: Phase<Context> = {
  id: 'etcd',
  title: 'etcd',
  summary:
    'Starts all etcd members of a new cluster together, and restarts members that serve one after the other; adds later ones one at a time, as learners that are promoted when they have caught up.',
  plan(context) {
    const steps = oneByOne(context, install(context, component));
    const known = knownMembers(context);
    if (!known) {
      refuseUnknown(context);
      return steps;
    }
    const { by, members } = known;
    const joining = plannedHosts(context).filter((host) => isEtcdMember(host) && !isMember(context, members, host));
    let before: string[] = [];
    // What an earlier member lost with its disk is no member any more when it comes back.
    let list = members.filter((member) => !joining.some((host) => peerUrl(host) === member.peerUrl));
    for (const host of joining) {
      const listed = members.find((member) => member.peerUrl === peerUrl(host));
      const id = (slug: string): string => `${by.name}/etcd/${slug}-${host.name}`;
      list = [...list, { id: '', name: host.name, peerUrl: peerUrl(host), started: false, learner: true }];
      const environment = environmentOf(context, { members: list, state: 'existing' });
      const own = (slug: string): string => `${host.name}/etcd/${slug}`;
      const add: Desired = {
        id: id('add'),
        host: by.name,
        words: `add ${host.name} to etcd as a learner`,
        action: { kind: 'script', script: addLearner(host, listed?.started === true && !hasData(context, host) ? listed : undefined) },
        ...(before.length > 0 ? { needs: before } : {}),
      };
      const promote: Desired = {
        id: id('promote'),
        host: by.name,
        words: `promote ${host.name} when it has caught up`,
        action: { kind: 'script', script: promoteLearner(host) },
        needs: [own('unit')],
      };
      before = [promote.id];
      const first = steps.findIndex((step) => step.host === host.name);
      steps.splice(first, 0, add);
      for (const [i, step] of steps.entries()) {
        if (step.id === own(`file${ENVIRONMENT}`) && step.action.kind === 'file' && !hasData(context, host)) {
          const { once: _, ...action } = step.action;
          steps[i] = { ...step, action: { ...action, content: { text: environment } } };
        }
        if (step.id === own('unit')) steps[i] = { ...step, needs: [...(step.needs ?? []), add.id] };
      }
      steps.splice(steps.findLastIndex((step) => step.host === host.name) + 1, 0, promote);
    }
    return steps;
  },
};

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
