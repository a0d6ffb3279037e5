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

export const peerUrl = (host: Host): string => `https://${nodeAddress(host)}:2380`;

export function hasData(context: Context, host: Host): boolean {
  return probe(context, host).includes('data');
}

/** All members, and the control plane that told; undefined: there is no etcd yet, or none that answers. */
export function knownMembers(context: Context): { by: Host; members: Member[] } | undefined {
  for (const host of controlPlanes(context.cluster)) {
    const members = probe(context, host).flatMap((line) => {
      const [kind, id, status, name, url, , learner] = line.split(/, ?/);
      return kind === 'member' && id && url
        ? [{ id, name: name ?? '', peerUrl: url, started: status === 'started', learner: learner === 'true' }]
        : [];
    });
    if (members.length > 0) return { by: host, members };
  }
  return undefined;
}

function probe(context: Context, host: Host): string[] {
  return (stateOf(context, host).probes[MEMBERS_PROBE.name] ?? '').split('\n');
}
