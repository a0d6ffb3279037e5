import { SlipwayError } from '../base/errors.ts';
import { ETCDCTL } from '../components/etcd.ts';
import { controlPlanes, nodeAddress } from '../components/topology.ts';
import type { Host } from '../config/cluster.ts';
import { stateOf, type Context } from './context.ts';

/** A member as etcd itself lists it. */
export interface Member {
  id: string;
  /** Empty until it has started for the first time. */
  name: string;
  peerUrl: string;
  started: boolean;
  learner: boolean;
}

/** Prints `data` on a host that has etcd's data, and on a control plane all members, when etcd answers. */
export const MEMBERS_PROBE = {
  name: 'members',
  script: `[ ! -d /var/lib/etcd/member ] || echo data
[ ! -s /etc/kubernetes/pki/apiserver-etcd-client.key ] || timeout 8 ${ETCDCTL} --dial-timeout=2s --command-timeout=5s member list -w simple 2>/dev/null | sed 's/^/member, /'`,
};

/** How many of so many voting members must be there for etcd to answer. */
export const quorumOf = (voters: number): number => Math.floor(voters / 2) + 1;

export const peerUrl = (host: Host): string => `https://${nodeAddress(host)}:2380`;

export function hasData(context: Context, host: Host): boolean {
  return probe(context, host).includes('data');
}

/** All members, and the control plane that told. */
export interface KnownMembers {
  by: Host;
  members: readonly Member[];
}

/** undefined: there is no etcd yet, or none that answers. Throws MEMBERS_REFUSED (refused). */
export function knownMembers(context: Context): KnownMembers | undefined {
  for (const host of controlPlanes(context.cluster)) {
    const members = probe(context, host).flatMap((line) => {
      const [kind, id, status, name, url, , learner] = line.split(/, ?/);
      if (kind !== 'member' || !id || !url) return [];
      refuseStrange(host, { id, name: name ?? '', url });
      return [{ id, name: name ?? '', peerUrl: url, started: status === 'started', learner: learner === 'true' }];
    });
    if (members.length > 0) return { by: host, members };
  }
  return undefined;
}

/** They are named in commands on other hosts. One that is left out would be missing where the quorum is counted. */
function refuseStrange({ name: host }: Host, member: { id: string; name: string; url: string }): void {
  const known = /^[\da-f]{1,16}$/.test(member.id) && /^[\w.-]*$/.test(member.name) && /^https?:\/\/[\w.:[\]-]+$/.test(member.url);
  if (known) return;
  throw new SlipwayError(`${host} lists a member of etcd that cannot be one: ${JSON.stringify(member).slice(0, 200)}`, {
    code: 'MEMBERS_REFUSED',
    category: 'refused',
    where: { host },
    hint: 'etcdctl member list on the control plane shows all of them; a member of somebody else is taken out with etcdctl member remove.',
  });
}

function probe(context: Context, host: Host): string[] {
  return (stateOf(context, host).probes[MEMBERS_PROBE.name] ?? '').split('\n');
}
