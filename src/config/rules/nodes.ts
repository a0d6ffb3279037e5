import type { Problem } from '../problem.ts';
import type { Rule } from './rules.ts';

/** Labels that the kubelet sets itself and sets back (kubelet, default labels). */
const KUBELET_LABELS = ['kubernetes.io/hostname', 'kubernetes.io/os', 'kubernetes.io/arch'];

const ownLabels: Rule = {
  needs: [],
  check: (cluster) =>
    cluster.hosts.flatMap((host, i) =>
      Object.keys(host.labels)
        .filter((key) => KUBELET_LABELS.includes(key))
        .map((key) => ({
          path: ['spec', 'hosts', i, 'labels', key],
          atKey: true,
          message: 'the kubelet sets this label itself',
          hint: 'Remove it.',
        })),
    ),
};

const ownTaints: Rule = {
  needs: [],
  check: (cluster) =>
    cluster.hosts.flatMap((host, i) =>
      host.taints.flatMap((taint, t): Problem[] => {
        const path = ['spec', 'hosts', i, 'taints', t];
        if (taint.key.startsWith('node.kubernetes.io/')) {
          return [
            {
              path,
              message: `${taint.key} is a taint that Kubernetes sets and removes by the node's condition`,
              hint: 'Use a key of your own.',
            },
          ];
        }
        if (host.taints.findIndex((other) => other.key === taint.key && other.effect === taint.effect) < t) {
          return [
            {
              path,
              message: `${taint.key}:${taint.effect} is there twice; a node has a key and effect only once`,
              hint: 'Remove one of them.',
            },
          ];
        }
        if (
          taint.key === 'node-role.kubernetes.io/control-plane' &&
          host.roles.includes('control-plane') &&
          !host.roles.includes('worker')
        ) {
          return [
            { path, message: 'control planes that are not workers have this taint anyway', hint: 'Remove it.', warning: 'TAINT_IMPLIED' },
          ];
        }
        return [];
      }),
    ),
};

const etcdOnlyIsNoNode: Rule = {
  needs: ['hosts.roles'],
  check: (cluster) =>
    cluster.hosts.flatMap((host, i): Problem[] => {
      if (host.roles.some((role) => role !== 'etcd')) return [];
      const field = Object.keys(host.labels).length > 0 ? 'labels' : host.taints.length > 0 ? 'taints' : undefined;
      if (field === undefined) return [];
      const message = 'this host runs only etcd and is not a node, so nothing can carry them';
      return [{ path: ['spec', 'hosts', i, field], atKey: true, message, hint: `Remove ${field}, or add a role.`, warning: 'NOT_A_NODE' }];
    }),
};

export const nodeRules: readonly Rule[] = [ownLabels, ownTaints, etcdOnlyIsNoNode];
