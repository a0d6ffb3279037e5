import { describe, expect, test } from '@jest/globals';
import type { Cluster, Host } from '../../../src/config/cluster.ts';
import type { Facts } from '../../../src/facts/facts.ts';
import { settle } from '../../../src/phases/settle.ts';
import { clusterOf, healthy } from './hosts.ts';

/** Hosts with some fields changed, by position. */
function cluster(...changes: Partial<Host>[]): Cluster {
  const base = clusterOf();
  return { ...base, hosts: base.hosts.map((host, i) => ({ ...host, ...changes[i] })) };
}

const facts = { 'cp-1': healthy('cp-1', '10.0.0.11'), 'w-1': healthy('w-1', '10.0.0.21'), 'w-2': healthy('w-2', '10.0.0.22') };

describe('names', () => {
  const unnamed = cluster({ name: '10.0.0.11', named: false }, { name: '10.0.0.21', named: false });

  test('come from the hosts where the file gives none, in lower case', () => {
    const settled = settle(unnamed, {
      '10.0.0.11': { ...facts['cp-1'], hostname: 'Alpha' },
      '10.0.0.21': facts['w-1'],
      'w-2': facts['w-2'],
    });
    expect(settled.cluster.hosts.map(({ name }) => name)).toEqual(['alpha', 'w-1', 'w-2']);
    expect(Object.keys(settled.facts)).toEqual(['alpha', 'w-1', 'w-2']);
  });

  test('of the file stand even when the hostname differs', () => {
    expect(settle(clusterOf(), { ...facts, 'w-1': { ...facts['w-1'], hostname: 'other' } }).cluster.hosts[1]!.name).toBe('w-1');
  });

  test('never collide: who comes second keeps what it was loaded with', () => {
    const settled = settle(unnamed, {
      '10.0.0.11': { ...facts['cp-1'], hostname: 'w-2' },
      '10.0.0.21': { ...facts['w-1'], hostname: 'debian' },
      'w-2': facts['w-2'],
    });
    expect(settled.cluster.hosts.map(({ name }) => name)).toEqual(['10.0.0.11', 'debian', 'w-2']);
    expect(Object.keys(settled.facts)).toEqual(['10.0.0.11', 'debian', 'w-2']);
  });

  test('and addresses of hosts that were not gathered stay as in the file', () => {
    const settled = settle(cluster({}, { privateAddress: '192.168.7.21', interface: 'eth1' }), { 'cp-1': facts['cp-1'] });
    expect(settled.cluster.hosts.map(({ name, privateAddress, interface: device }) => [name, privateAddress, device])).toEqual([
      ['cp-1', '10.0.0.11', 'eth0'],
      ['w-1', '192.168.7.21', 'eth1'],
      ['w-2', '10.0.0.22', undefined],
    ]);
    expect(Object.keys(settled.facts)).toEqual(['cp-1']);
  });
});

describe('private addresses', () => {
  const privateAddress = (host: Partial<Host>, own: Facts): string | undefined =>
    settle(cluster(host), { ...facts, 'cp-1': own }).cluster.hosts[0]!.privateAddress;
  const own = facts['cp-1'];

  test('are what the file says, or the address when it is one', () => {
    expect(privateAddress({ privateAddress: '192.168.7.11' }, own)).toBe('192.168.7.11');
    expect(privateAddress({}, own)).toBe('10.0.0.11');
  });

  test('are the source of the default route for a host known by its DNS name, or as this very machine', () => {
    const routes = [{ destination: 'default', via: '192.168.7.1', device: 'eth1', source: '192.168.7.11' }];
    expect(privateAddress({ address: 'cp.example' }, { ...own, routes })).toBe('192.168.7.11');
    expect(privateAddress({ address: '127.0.0.1' }, { ...own, routes })).toBe('192.168.7.11');
  });

  test('are the first address of the default route’s interface when the route names no source', () => {
    expect(privateAddress({ address: 'cp.example' }, own)).toBe('10.0.0.11');
  });

  test('without a default route are the first one of an interface that is up', () => {
    const interfaces = [
      ...own.interfaces.filter(({ name }) => name === 'lo'),
      { name: 'eth8', mac: '', mtu: 1500, up: false, addresses: [{ address: '10.8.0.1', prefix: 24 }] },
      {
        name: 'eth9',
        mac: '',
        mtu: 1500,
        up: true,
        addresses: [
          { address: 'fe80::1', prefix: 64 },
          { address: '169.254.7.7', prefix: 16 },
          { address: '10.9.0.1', prefix: 24 },
        ],
      },
    ];
    expect(privateAddress({ address: 'cp.example' }, { ...own, routes: [], interfaces })).toBe('10.9.0.1');
    expect(privateAddress({ address: 'cp.example' }, { ...own, routes: [], interfaces: [] })).toBeUndefined();
  });
});

describe('interfaces', () => {
  const device = (own: Facts, host: Partial<Host> = {}): string | undefined =>
    settle(cluster(host), { ...facts, 'cp-1': own }).cluster.hosts[0]!.interface;
  const own = facts['cp-1'];
  const way = (name: string) => ({ device: name, source: '192.168.7.11' });

  test('are those by which the others are reached', () => {
    expect(device(own)).toBe('eth0');
    expect(device({ ...own, routesTo: { '10.0.0.21': way('eth1'), '10.0.0.22': way('eth1') } })).toBe('eth1');
  });

  test('are what the file says', () => {
    expect(device(own, { interface: 'bond0' })).toBe('bond0');
  });

  test('on a draw are the one with the private address', () => {
    expect(device({ ...own, routesTo: { '10.0.0.21': way('eth1'), '10.0.0.22': way('eth0') } })).toBe('eth0');
  });

  test('follow the routing table for hosts that nobody asked about, the longest prefix first', () => {
    const routes = [...own.routes, { destination: '10.0.0.16/28', via: undefined, device: 'eth2', source: undefined }];
    expect(device({ ...own, routesTo: {}, routes })).toBe('eth2');
    expect(device({ ...own, routesTo: {}, routes: [{ destination: 'default', via: '10.0.0.1', device: 'eth3', source: undefined }] })).toBe(
      'eth3',
    );
  });

  test('of a host that is alone are the one with its private address', () => {
    const alone = { ...clusterOf(), hosts: [clusterOf().hosts[0]!] };
    expect(settle(alone, { 'cp-1': { ...own, routesTo: {} } }).cluster.hosts[0]!.interface).toBe('eth0');
  });
});
