import { SlipwayError, SlipwayErrors } from '../../base/errors.ts';
import { several } from '../../base/words.ts';
import { DATA } from '../../components/etcd.ts';
import { etcdStore } from '../../components/flanneld.ts';
import { isControlPlane, isEtcdMember, isNode, leasesInEtcd } from '../../components/topology.ts';
import type { Cluster, Host } from '../../config/cluster.ts';
import { plannedHosts, stateOf, type Context } from '../../phases/context.ts';
import { hasData, knownMembers, peerUrl } from '../../phases/members.ts';
import { nodesOfOtherBackends } from '../../phases/nodes.ts';
import { runningOn, type FixedFlag } from '../../phases/running.ts';

/**
 * Refuses what apply, join and repair must not change on a cluster that runs, all of it at once: its version, what is fixed for its life, and a
 * control plane that would only become a worker, names of nodes and addresses of etcd's members; and what would cut the pod network for a while, unless that was accepted. The running processes are believed, not our records.
 *
 * @throws SlipwayError VERSION_FIXED, FIELD_FIXED, ROLE_CHANGED, NODE_RENAMED, HOST_CLONED, MEMBER_MOVED, BACKEND_SPLIT, OUTAGE_NOT_ACCEPTED (refused).
 */
export function refuseChanges(context: Context): void {
  const errors = [
    ...versionChanges(context),
    ...fieldChanges(context),
    ...roleChanges(context),
    ...nameChanges(context),
    ...movedMembers(context),
    ...backendChanges(context),
  ];
  if (errors.length === 0) return;
  if (errors.length === 1) throw errors[0]!;
  throw new SlipwayErrors(
    `${errors.length} things in the cluster file cannot be changed on a running cluster; nothing was changed`,
    { code: errors[0]!.code, category: 'refused' },
    errors,
  );
}

/**
 * The version of the API servers is the cluster's; only where none of them is known, that of the nodes.
 *
 * @see https://kubernetes.io/releases/version-skew-policy/
 */
function versionChanges(context: Context): SlipwayError[] {
  const wanted = context.versions.kubernetes;
  const of = (daemon: 'kube-apiserver' | 'kubelet'): { host: string; version: string }[] =>
    context.cluster.hosts.flatMap(({ name }) => {
      const version = runningOn(context, name).versions[daemon];
      return version === undefined ? [] : [{ host: name, version }];
    });
  const servers = of('kube-apiserver');
  const others = (servers.length > 0 ? servers : of('kubelet')).filter(({ version }) => version !== wanted);
  return [...new Set(others.map(({ version }) => version))].map((version) => {
    const hosts = others.filter((one) => one.version === version).map(({ host }) => host);
    return new SlipwayError(`kubernetes.version is ${wanted}, and the cluster runs ${version} (${several(hosts)})`, {
      code: 'VERSION_FIXED',
      category: 'refused',
      where: hosts.length === 1 ? { host: hosts[0]! } : {},
      hint: `write version: ${version} to the cluster file; a running cluster cannot be taken to another version yet`,
    });
  });
}

const STORE = 'nodes whose leases are in another place get other networks for their pods';

interface FixedField {
  field: string;
  flag: FixedFlag;
  /** The flag's value; undefined: it must not be there. */
  wanted(cluster: Cluster): string | undefined;
  /** What the file has for a value of the flag. Default: the value. */
  says?(value: string | undefined): string;
  /** Why it cannot be changed, as the end of a sentence. */
  why: string;
}

const FIXED_FIELDS: readonly FixedField[] = [
  { field: 'network.podCidr', flag: 'cluster-cidr', wanted: ({ network }) => network.podCidr, why: 'every node has its part of it' },
  {
    field: 'network.nodeCidrMaskSize',
    flag: 'node-cidr-mask-size',
    wanted: ({ network }) => String(network.nodeCidrMaskSize),
    why: 'every node has a part of that size',
  },
  {
    field: 'network.serviceCidr',
    flag: 'service-cluster-ip-range',
    wanted: ({ network }) => network.serviceCidr,
    why: 'every Service has an address of it',
  },
  {
    field: 'network.clusterDomain',
    flag: 'service-account-issuer',
    wanted: ({ network, components }) => components['kube-apiserver']?.args['service-account-issuer'] ?? issuerOf(network.clusterDomain),
    says: (value = '') => (value.startsWith(issuerOf('')) ? value.slice(issuerOf('').length) : value),
    why: 'every token and every name of a Service has it',
  },
  {
    field: 'components.etcd.args.data-dir',
    flag: 'data-dir',
    wanted: ({ components }) => components['etcd']?.args['data-dir'] ?? DATA,
    why: 'a member without its data is none',
  },
  {
    field: 'network.flannel.store',
    flag: 'kube-subnet-mgr',
    wanted: (cluster) => (leasesInEtcd(cluster) ? undefined : 'true'),
    says: (value) => (value === undefined ? 'etcd' : 'kubernetes'),
    why: STORE,
  },
  {
    field: 'network.flannel.store',
    flag: 'etcd-prefix',
    wanted: (cluster) => (leasesInEtcd(cluster) ? etcdStore.prefix : undefined),
    says: (value) => (value === undefined ? 'kubernetes' : 'etcd'),
    why: STORE,
  },
];

const issuerOf = (domain: string): string => `https://kubernetes.default.svc.${domain}`;

function fieldChanges(context: Context): SlipwayError[] {
  return FIXED_FIELDS.flatMap(({ field, flag, wanted, says = (value = '') => value, why }) => {
    const want = wanted(context.cluster);
    const other = context.cluster.hosts.find(({ name }) => {
      const found = runningOn(context, name).flags[flag];
      return found !== undefined && found !== want;
    });
    if (!other) return [];
    const found = runningOn(context, other.name).flags[flag]!;
    return [
      new SlipwayError(`${field} is ${says(want)}, and the cluster was made with ${says(found)} (--${flag} on ${other.name})`, {
        code: 'FIELD_FIXED',
        category: 'refused',
        where: { host: other.name },
        hint: `write ${says(found)} again: it cannot be changed while the cluster lives, because ${why}`,
      }),
    ];
  });
}

/** A node has its name for life: it stands in its certificates, in the API, and in etcd. */
function nameChanges({ cluster: { hosts }, facts }: Context): SlipwayError[] {
  return hosts.flatMap(({ name }) => {
    const was = facts[name]?.cluster?.host;
    if (was === undefined || was === name) return [];
    const isAnother = hosts.some((host) => host.name === was);
    return [
      isAnother
        ? new SlipwayError(`${name} was installed as ${was}, which is another host of the cluster file: its disk is a copy`, {
            code: 'HOST_CLONED',
            category: 'refused',
            where: { host: name },
            hint: `install its system anew, or give it back with slipway reset --limit ${name}; then add it: slipway join ${name}`,
          })
        : new SlipwayError(`${name} was installed as ${was}, and a node keeps its name`, {
            code: 'NODE_RENAMED',
            category: 'refused',
            where: { host: name },
            hint: `write name: ${was} again; for another name take it out first (slipway remove ${was}), then slipway join ${name}`,
          }),
    ];
  });
}

/** The others go on asking a member at the address that they know; and at another one it would be added as if it were new. */
function movedMembers(context: Context): SlipwayError[] {
  const { members = [] } = knownMembers(context) ?? {};
  return context.cluster.hosts.flatMap((host) => {
    if (!isEtcdMember(host) || host.privateAddress === undefined) return [];
    const at = members.find(({ name }) => name === host.name)?.peerUrl;
    if (at === undefined || members.some((member) => member.peerUrl === peerUrl(host))) return [];
    const was = new URL(at).hostname;
    return [
      new SlipwayError(`${host.name} has the address ${host.privateAddress}, and is a member of etcd at ${was}`, {
        code: 'MEMBER_MOVED',
        category: 'refused',
        where: { host: host.name },
        hint: `a member keeps its address: write ${was} again, or take it out (slipway remove ${host.name}, with --dead where ${was} is gone) and join it with its new one`,
      }),
    ];
  });
}

/** Nodes ignore the leases of another backend than their own: between those that have changed and those that have not, no packet of a pod passes. */
function backendChanges(context: Context): SlipwayError[] {
  const { cluster, outageAccepted = false } = context;
  const { backend } = cluster.network.flannel;
  const changing = nodesOfOtherBackends(context);
  if (changing.length === 0) return [];
  const planned = plannedHosts(context);
  const left = cluster.hosts.filter((host) => isNode(host) && !planned.includes(host)).map(({ name }) => name);
  const what = `network.flannel.backend is ${backend}, and ${several(changing)} ${changing.length === 1 ? 'has' : 'have'} another one`;
  if (left.length > 0)
    return [
      new SlipwayError(`${what}; without ${several(left)} the pod network would be cut in two`, {
        code: 'BACKEND_SPLIT',
        category: 'refused',
        hint: 'all nodes change to another backend together: run it without --limit, when all of them can be reached',
      }),
    ];
  if (outageAccepted) return [];
  return [
    new SlipwayError(`${what}: while they change, pods on different nodes do not reach each other`, {
      code: 'OUTAGE_NOT_ACCEPTED',
      category: 'refused',
      hint: 'all nodes change at once, in some seconds; if that may be, add --accept-outage',
    }),
  ];
}

/** What a host still is though the file does not say so any more. */
function roleChanges(context: Context): SlipwayError[] {
  return context.cluster.hosts.flatMap((host) => {
    if (context.facts[host.name]?.cluster === undefined) return [];
    const had = [
      ...(!isControlPlane(host) && stateOf(context, host).units['kube-apiserver.service']?.loaded ? ['control-plane'] : []),
      ...(!isEtcdMember(host) && hasData(context, host) && stateOf(context, host).units['etcd.service']?.loaded ? ['etcd'] : []),
    ];
    return had.length === 0 ? [] : [roleChanged(host, had)];
  });
}

function roleChanged(host: Host, had: readonly string[]): SlipwayError {
  return new SlipwayError(
    `${host.name} is ${host.roles.join(' and ')} in the cluster file, and still has the role ${had.join(' and ')} in the cluster`,
    {
      code: 'ROLE_CHANGED',
      category: 'refused',
      where: { host: host.name },
      hint: `write its roles as they were, take it out with slipway remove ${host.name}, then add it with its new roles: slipway join`,
    },
  );
}
