import { ETCDCTL } from '../../components/etcd.ts';
import { etcdMembers, isControlPlane, isEtcdMember } from '../../components/topology.ts';
import { asked, healthFindings, healthProbe } from './health.ts';
import { count, failing, list, verdict, warning, type CheckContext, type Finding, type VerifyCheck } from './verify.ts';

/** Of the quota; when it is used up etcd takes no more writes. */
const FULL = 0.8;

interface Members {
  members: readonly { name?: string; peerURLs: readonly string[]; isLearner?: boolean }[];
}

interface Status {
  Endpoint: string;
  Status: {
    header: { member_id: string };
    leader?: string;
    dbSize: number;
    dbSizeQuota?: number;
    errors?: readonly string[];
    isLearner?: boolean;
    version: string;
  };
}

export const etcd: VerifyCheck = {
  id: 'etcd',
  title: 'Every etcd member is well, and the members are the etcd hosts',
  covers: isEtcdMember,
  probe(host, context) {
    const health = healthProbe(context, { host, component: 'etcd' });
    if (health === undefined || !isControlPlane(host)) return health;
    // Only a control plane's host has a client certificate.
    return `${health}
echo '@members'; ${ETCDCTL} --command-timeout=5s member list -w json
echo '@status'; ${ETCDCTL} --command-timeout=5s endpoint status --cluster -w json 2>/dev/null`;
  },
  run(context) {
    const hosts = etcdMembers(context.cluster);
    const views = asked(context).flatMap((host) => {
      const [, members, status = ''] = /@members\n(\{.*\})\n@status\n?(.*)/.exec(context.seen(host)!) ?? [];
      return members === undefined
        ? []
        : [{ host: host.name, members: parse<Members>(members).members, statuses: status.startsWith('[') ? parse<Status[]>(status) : [] }];
    });
    const findings = [...healthFindings(context, 'etcd'), ...memberFindings(context, views), ...statusFindings(views[0]?.statuses ?? [])];
    if (views.length === 0 && findings.length === 0)
      findings.push(
        warning([], 'no control plane tells who the members are', { hint: 'look at what the checks of the hosts and the API server say' }),
      );
    const size = Math.max(0, ...(views[0]?.statuses ?? []).map(({ Status }) => Status.dbSize));
    return verdict(findings, {
      message: `${count(hosts.length, 'member')}, ${Math.ceil(size / 2 ** 20)} MiB`,
      data: { members: views[0]?.members.map(({ name }) => name), bytes: size },
    });
  },
};

/** Identifiers have 64 bits, more than a number of JavaScript can hold. */
function parse<T>(text: string): T {
  return JSON.parse(text.replace(/":(\d{15,})/g, '":"$1"')) as T;
}

function memberFindings(context: CheckContext, views: readonly { host: string; members: Members['members'] }[]): Finding[] {
  const silent = context.unread.map(({ host }) => host).filter(isEtcdMember);
  const expected = [...etcdMembers(context.cluster), ...silent.filter(({ named }) => named)].map(({ name }) => name);
  const nameless = silent.filter(({ named }) => !named);
  return views
    .flatMap(({ host, members }) => {
      const names = members.map(({ name, peerURLs }) => (name ? name : `(not started, ${peerURLs.join(' ')})`));
      const missing = expected.filter((name) => !names.includes(name));
      const strange = names.filter((name) => !expected.includes(name) && !context.leftOut.includes(name));
      const learners = members.filter(({ isLearner }) => isLearner).map(({ name }) => name ?? '?');
      return [
        ...(missing.length > 0
          ? [failing([], `etcd on ${host} does not know ${list(missing)} as a member`, { hint: 'slipway apply adds a missing member' })]
          : []),
        // As many of them may be on hosts whose names are not known.
        ...(strange.length > nameless.length
          ? [
              failing([], `etcd has the member ${list(strange)}, which is no etcd host of the cluster file`, {
                hint: 'a member that is gone counts for the quorum: slipway remove takes it out',
              }),
            ]
          : []),
        ...(learners.length > 0
          ? [
              warning([], `${list(learners)} is a learner: it does not count for the quorum yet`, {
                hint: 'slipway apply goes on with its promotion',
              }),
            ]
          : []),
      ];
    })
    .filter(({ what }, i, all) => all.findIndex((other) => other.what === what) === i);
}

function statusFindings(statuses: readonly Status[]): Finding[] {
  const leaders = new Set(statuses.map(({ Status }) => Status.leader ?? '0'));
  const findings = statuses.flatMap(({ Endpoint, Status: { errors = [], dbSize, dbSizeQuota } }) => [
    ...(errors.length > 0
      ? [
          failing([], `etcd at ${Endpoint} says: ${errors.join(', ')}`, {
            hint: 'after NOSPACE: compact, defragment, then etcdctl alarm disarm',
          }),
        ]
      : []),
    ...(dbSizeQuota && dbSize / dbSizeQuota > FULL
      ? [
          warning([], `the database of etcd at ${Endpoint} has used ${Math.round((dbSize / dbSizeQuota) * 100)} % of its quota`, {
            hint: 'etcdctl defrag, one member at a time',
          }),
        ]
      : []),
  ]);
  if (leaders.has('0'))
    return [
      ...findings,
      failing([], 'etcd has no leader', { hint: 'more than half of the members must be up and reach each other on port 2380' }),
    ];
  if (leaders.size > 1)
    return [...findings, failing([], 'the etcd members do not agree on their leader', { hint: 'look at their logs: journalctl -u etcd' })];
  return findings;
}
