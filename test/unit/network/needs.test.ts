import { describe, expect, test } from '@jest/globals';
import { neededSize, networkNeeds, newHosts, stranger } from '../../../src/checks/network/needs.ts';
import type { Cluster } from '../../../src/config/cluster.ts';
import type { Facts } from '../../../src/facts/facts.ts';
import type { Context } from '../../../src/phases/context.ts';
import { contextOf } from '../phases/context.ts';
import { healthy } from '../preflight/hosts.ts';

/** As `from>to port/protocol`, sorted. */
function needs(context: Context, concerning?: readonly string[]): string[] {
  return networkNeeds({ ...context, concerning })
    .map(({ from, to, protocol, port }) => `${from}>${to} ${port}/${protocol}`)
    .sort();
}

const roles =
  (...of: [name: string, ...roles: ('control-plane' | 'etcd' | 'worker')[]][]) =>
  (cluster: Cluster): Cluster => ({
    ...cluster,
    hosts: cluster.hosts.map((host) => ({ ...host, roles: of.find(([name]) => name === host.name)?.slice(1) as typeof host.roles })),
  });

describe('who needs what of whom', () => {
  test('nodes the API, control planes the kubelets, nodes the pod network of each other; nothing on the loopback', () => {
    expect(needs(contextOf())).toEqual([
      'cp-1>w-1 10250/tcp',
      'cp-1>w-1 8472/udp',
      'cp-1>w-2 10250/tcp',
      'cp-1>w-2 8472/udp',
      'w-1>cp-1 6443/tcp',
      'w-1>cp-1 8472/udp',
      'w-1>w-2 8472/udp',
      'w-2>cp-1 6443/tcp',
      'w-2>cp-1 8472/udp',
      'w-2>w-1 8472/udp',
    ]);
  });

  test('metrics-server asks every kubelet from any node', () => {
    const more = needs(contextOf('  addons: { metricsServer: true }')).filter((need) => !needs(contextOf()).includes(need));
    expect(more).toEqual(['w-1>cp-1 10250/tcp', 'w-1>w-2 10250/tcp', 'w-2>cp-1 10250/tcp', 'w-2>w-1 10250/tcp']);
  });

  test('members of etcd each other, control planes all members, and a host with etcd alone no pod network', () => {
    const apart = contextOf('', roles(['cp-1', 'control-plane'], ['w-1', 'etcd'], ['w-2', 'etcd']));
    expect(needs(apart)).toEqual(['cp-1>w-1 2379/tcp', 'cp-1>w-2 2379/tcp', 'w-1>w-2 2380/tcp', 'w-2>w-1 2380/tcp']);
  });

  test.each([
    ['wireguard', '51820/udp'],
    ['udp', '8285/udp'],
    ['host-gw', undefined],
  ])('the pod network %s has the port %s', (backend, port) => {
    const ports = needs(contextOf(`  network: { flannel: { backend: ${backend} } }`))
      .map((need) => need.split(' ')[1]!)
      .filter((one) => one.endsWith('udp'));
    expect([...new Set(ports)]).toEqual(port === undefined ? [] : [port]);
  });

  test('behind a load balancer of the user nobody needs the API server itself', () => {
    const apiPorts = needs(contextOf('  api: { endpoint: { host: api.example, port: 6443 } }')).filter((need) => need.includes('6443'));
    expect(apiPorts).toEqual([]);
  });

  test('a join concerns the new hosts, and of all others only those that were read', () => {
    const context = contextOf();
    const joined = { ...context, facts: { 'cp-1': context.facts['cp-1']!, 'w-2': context.facts['w-2']! } };
    expect(needs(joined, ['w-2'])).toEqual(['cp-1>w-2 10250/tcp', 'cp-1>w-2 8472/udp', 'w-2>cp-1 6443/tcp', 'w-2>cp-1 8472/udp']);
    expect(needs(contextOf(), ['w-2']).filter((need) => !need.includes('w-2'))).toEqual([]);
  });
});

describe('hosts that are new', () => {
  const ours = (facts: Facts): Facts => ({ ...facts, leftovers: [{ of: 'slipway', path: '/var/lib/slipway' }] });
  const [fresh, old] = [healthy('w-1', '10.0.0.21'), ours(healthy('w-2', '10.0.0.22'))];

  test('have nothing of ours, and may be changed', () => {
    expect(newHosts({ facts: { 'w-1': fresh, 'w-2': old } })).toEqual(['w-1']);
    expect(newHosts({ facts: { 'w-1': fresh, 'w-2': old }, limit: ['w-2'] })).toEqual([]);
  });

  test('may have ports that belong to somebody else; those of our own daemons and of the kernel are tried', () => {
    const listening: Facts['listening'] = [
      { protocol: 'tcp', address: '*', port: 10250, process: 'nginx' },
      { protocol: 'udp', address: '*', port: 8472, process: '' },
    ];
    expect(stranger({ ...fresh, listening }, { protocol: 'tcp', port: 10250 })).toBe('nginx');
    expect(stranger({ ...fresh, listening }, { protocol: 'udp', port: 8472 })).toBeUndefined();
    expect(stranger({ ...old, listening }, { protocol: 'tcp', port: 10250 })).toBeUndefined();
  });
});

describe('the size that packets need', () => {
  test('is what the interface carries, or less where network.flannel.mtu says so', () => {
    expect(neededSize(contextOf(), 'w-1')).toBe(1500);
    expect(neededSize(contextOf('  network: { flannel: { mtu: 1350 } }'), 'w-1')).toBe(1400);
    expect(neededSize(contextOf('  network: { flannel: { mtu: 8950 } }'), 'w-1')).toBe(1500);
    expect(neededSize({ ...contextOf(), facts: {} }, 'w-1')).toBeUndefined();
  });
});
