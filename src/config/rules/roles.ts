import type { Cluster, Role } from '../cluster.ts';
import type { Problem } from '../problem.ts';
import type { Rule } from './rules.ts';

const HOSTS = ['spec', 'hosts'] as const;

function count(cluster: Cluster, role: Role): number {
  return cluster.hosts.filter((host) => host.roles.includes(role)).length;
}

const controlPlane: Rule = {
  needs: ['hosts.roles', 'hosts.address'],
  check: (cluster) => {
    if (count(cluster, 'control-plane') > 0) return [];
    const roles = cluster.hosts.length === 1 ? '[control-plane, worker]' : '[control-plane]';
    return [{ path: HOSTS, atKey: true, message: 'no host has the role control-plane', hint: `Add roles: ${roles} to a host.` }];
  },
};

const etcdQuorum: Rule = {
  needs: ['hosts.roles', 'hosts.address'],
  check: (cluster) => {
    const members = count(cluster, 'etcd');
    const warn = (message: string, hint: string, warning: string): Problem[] => [{ path: HOSTS, atKey: true, message, hint, warning }];
    if (members === 2)
      return warn('2 etcd members both have to be up, so this is less reliable than 1', 'Use 1 or 3 control planes.', 'ETCD_EVEN');
    if (members > 0 && members % 2 === 0) {
      return warn(
        `${members} etcd members survive the loss of ${members / 2 - 1}, no more than ${members - 1} would`,
        `Use ${members - 1} or ${members + 1}.`,
        'ETCD_EVEN',
      );
    }
    if (members > 7)
      return warn(`${members} etcd members make every write wait for ${(members + 1) / 2} of them`, 'Use 3, 5 or 7.', 'ETCD_MANY');
    const controlPlanes = count(cluster, 'control-plane');
    if (members === 1 && controlPlanes > 1) {
      return warn(
        `${controlPlanes} control planes share 1 etcd member: when its host is lost, so is the cluster`,
        'Give 3 hosts the role etcd.',
        'ETCD_SINGLE',
      );
    }
    return [];
  },
};

const placeForPods: Rule = {
  needs: ['hosts.roles', 'hosts.address'],
  check: (cluster) => {
    if (count(cluster, 'worker') > 0 || count(cluster, 'control-plane') === 0) return [];
    const hint = 'Add worker to the roles of a host: roles: [control-plane, worker].';
    return [
      {
        path: HOSTS,
        atKey: true,
        message: 'no host has the role worker, so ordinary pods would find no place',
        hint,
        warning: 'NO_WORKER',
      },
    ];
  },
};

export const roleRules: readonly Rule[] = [controlPlane, etcdQuorum, placeForPods];
