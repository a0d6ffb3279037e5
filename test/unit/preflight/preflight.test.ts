import { describe, expect, test } from '@jest/globals';
import type { Finding } from '../../../src/checks/check.ts';
import { preflightChecks, preflightError } from '../../../src/checks/preflight/index.ts';
import { componentVersions } from '../../../src/artifacts/catalogue.ts';
import { preflightContext } from '../../../src/checks/preflight/context.ts';
import { clusterOf, healthy } from './hosts.ts';

describe('preflightError', () => {
  const error = (hosts: string[], what: string): Finding => ({ check: 'disk-space', severity: 'error', hosts, what, hint: 'Free some.' });

  test('warnings alone refuse nothing', () => {
    expect(preflightError([{ ...error(['w-1'], 'x'), severity: 'warning' }])).toBeUndefined();
  });

  test('refuses with every error, its hosts, its code and its way out', () => {
    const refusal = preflightError([error(['w-1'], 'it is full'), error(['w-1', 'w-2'], 'they are full'), error([], 'all is full')])!;
    expect([refusal.message, refusal.code, refusal.category]).toEqual([
      '3 things stand in the way; nothing was changed',
      'PREFLIGHT_FAILED',
      'refused',
    ]);
    expect(refusal.errors.map(({ message, code, where, hint }) => [message, code, where, hint])).toEqual([
      ['w-1: it is full', 'PREFLIGHT_DISK_SPACE', { host: 'w-1' }, 'Free some.'],
      ['w-1 and w-2: they are full', 'PREFLIGHT_DISK_SPACE', {}, 'Free some.'],
      ['all is full', 'PREFLIGHT_DISK_SPACE', {}, 'Free some.'],
    ]);
    expect(preflightError([error([], 'x')])!.message).toBe('one thing stands in the way; nothing was changed');
  });
});

test('every check has an id of its own', () => {
  expect(new Set(preflightChecks.map(({ id }) => id)).size).toBe(preflightChecks.length);
});

test('what is asked of hosts is derived from the components', () => {
  const cluster = clusterOf();
  const settled = { ...cluster, hosts: cluster.hosts.map((host) => ({ ...host, privateAddress: host.address })) };
  const facts = { 'cp-1': healthy('cp-1', '10.0.0.11'), 'w-1': healthy('w-1', '10.0.0.21') };
  const { requiredPorts, ownProcesses, installs } = preflightContext({
    cluster: settled,
    facts,
    versions: componentVersions(cluster.kubernetes.version),
  });
  const ports = (at: number) => requiredPorts(settled.hosts[at]!).map(({ port, protocol, by }) => `${protocol} ${port} ${by}`);
  expect(ports(0)).toEqual(
    expect.arrayContaining([
      'tcp 2379 etcd',
      'tcp 2380 etcd',
      'tcp 6443 kube-apiserver',
      'tcp 10257 kube-controller-manager',
      'udp 8472 flanneld',
    ]),
  );
  expect(ports(1)).toEqual(expect.arrayContaining(['tcp 6444 api-endpoint', 'tcp 10250 kubelet', 'udp 8472 flanneld']));
  expect(ports(1).join()).not.toMatch(/etcd|apiserver/);
  expect([...ownProcesses]).toEqual(expect.arrayContaining(['kube-controller', 'kube-apiserver', 'etcd', 'haproxy', 'flanneld']));
  expect(installs.has('haproxy')).toBe(true);
});
