import { describe, expect, test } from '@jest/globals';
import type { Cluster, Host } from '../../../src/config/cluster.ts';
import type { Facts } from '../../../src/facts/facts.ts';
import { normalise } from '../../../src/phases/normalise.ts';
import { change, clusterOf, findings, healthy } from './hosts.ts';

/** Hosts with some fields changed, by position. */
function cluster(...changes: Partial<Host>[]): Cluster {
  const base = clusterOf();
  return { ...base, hosts: base.hosts.map((host, i) => ({ ...host, ...changes[i] })) };
}

const facts = { 'cp-1': healthy('cp-1', '10.0.0.11'), 'w-1': healthy('w-1', '10.0.0.21'), 'w-2': healthy('w-2', '10.0.0.22') };

describe('names', () => {
  const unnamed = cluster({ name: '10.0.0.11', named: false }, { name: '10.0.0.21', named: false });

  test('come from the hosts where the file gives none, in lower case', () => {
    const settled = normalise(unnamed, {
      '10.0.0.11': { ...facts['cp-1'], hostname: 'Alpha' },
      '10.0.0.21': facts['w-1'],
      'w-2': facts['w-2'],
    });
    expect(settled.cluster.hosts.map(({ name }) => name)).toEqual(['alpha', 'w-1', 'w-2']);
    expect(Object.keys(settled.facts)).toEqual(['alpha', 'w-1', 'w-2']);
  });

  test('of the file stand even when the hostname differs', () => {
    expect(normalise(clusterOf(), { ...facts, 'w-1': { ...facts['w-1'], hostname: 'other' } }).cluster.hosts[1]!.name).toBe('w-1');
  });

  test('never collide: who comes second keeps what it was loaded with', () => {
    const settled = normalise(unnamed, {
      '10.0.0.11': { ...facts['cp-1'], hostname: 'w-2' },
      '10.0.0.21': { ...facts['w-1'], hostname: 'debian' },
      'w-2': facts['w-2'],
    });
    expect(settled.cluster.hosts.map(({ name }) => name)).toEqual(['10.0.0.11', 'debian', 'w-2']);
    expect(Object.keys(settled.facts)).toEqual(['10.0.0.11', 'debian', 'w-2']);
  });

  test.each(['web_1', '-web', 'a..b', '10.0.0.11', 'w-1;id >f;', '$(id)', 'x'.repeat(64), '__proto__'])(
    'are no node’s when they cannot be: %s',
    (hostname) => {
      const settled = normalise(unnamed, { '10.0.0.11': facts['cp-1'], '10.0.0.21': { ...facts['w-1'], hostname }, 'w-2': facts['w-2'] });
      expect(settled.cluster.hosts.map(({ name }) => name)).toEqual(['cp-1', '10.0.0.21', 'w-2']);
    },
  );

  test('and addresses of hosts that were not gathered stay as in the file', () => {
    const settled = normalise(cluster({}, { privateAddress: '192.168.7.21', interface: 'eth1' }), { 'cp-1': facts['cp-1'] });
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
    normalise(cluster(host), { ...facts, 'cp-1': own }).cluster.hosts[0]!.privateAddress;
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

  test('are never what no host can have for others', () => {
    const route = (source: string) => [{ destination: 'default', via: undefined, device: 'eth0', source }];
    for (const source of ['127.0.0.1', '0.0.0.0', '169.254.1.1', '224.0.0.1', '255.255.255.255', '10.0.0.11;id', 'fd00::1'])
      expect(privateAddress({ address: 'cp.example' }, { ...own, routes: route(source) })).toBe('10.0.0.11');
  });
});

describe('where nodes live', () => {
  /** The networks that firewalls admit when the hosts have these addresses, and what of them is left out. */
  function living(...addresses: string[]): { nodeCidrs: readonly string[]; unadmitted: readonly string[] } {
    const names = ['cp-1', 'w-1', 'w-2'].slice(0, addresses.length);
    const own = (i: number) => addresses[i]!.split('/');
    const base = clusterOf();
    const { cluster: settled, unadmitted } = normalise(
      { ...base, hosts: base.hosts.slice(0, names.length).map((host, i) => ({ ...host, address: own(i)[0]! })) },
      Object.fromEntries(
        names.flatMap((name, i) => {
          const [address, prefix] = own(i);
          const device = { name: 'eth0', mac: '', mtu: 1500, up: true, addresses: [{ address: address!, prefix: Number(prefix) }] };
          return prefix === undefined ? [] : [[name, { ...healthy(name, address!), interfaces: [device] }]];
        }),
      ),
    );
    return { nodeCidrs: settled.network.nodeCidrs, unadmitted: unadmitted.map(({ host, network }) => `${host} ${network}`) };
  }

  test.each([
    ['one network', ['10.0.0.11/24', '10.0.0.21/24', '10.0.0.22/24'], ['10.0.0.0/24']],
    ['several', ['10.1.1.11/24', '10.1.2.21/24', '172.20.0.1/20'], ['10.1.1.0/24', '10.1.2.0/24', '172.20.0.0/20']],
    ['one of the widest', ['10.1.1.11/16', '192.168.3.4/16', '100.64.0.9/16'], ['10.1.0.0/16', '100.64.0.0/16', '192.168.0.0/16']],
    ['addresses without a network', ['10.0.0.11/32', '203.0.113.21/32'], ['10.0.0.11/32', '203.0.113.21/32']],
    ['a network where one was not asked', ['10.0.0.11/24', '10.0.0.21', '10.0.1.22'], ['10.0.0.0/24', '10.0.1.22/32']],
  ])('is in %s', (_, addresses, nodeCidrs) => {
    expect(living(...addresses)).toEqual({ nodeCidrs, unadmitted: [] });
  });

  test.each([
    ['half of the internet', ['10.0.0.11/24', '203.0.113.6/1'], ['10.0.0.0/24', '203.0.113.6/32'], ['w-1 128.0.0.0/1']],
    ['everything', ['10.0.0.11/24', '10.9.0.6/0'], ['10.0.0.0/24', '10.9.0.6/32'], ['w-1 0.0.0.0/0']],
    [
      'a public network',
      ['203.0.113.11/20', '203.0.113.6/20'],
      ['203.0.113.11/32', '203.0.113.6/32'],
      ['cp-1 203.0.112.0/20', 'w-1 203.0.112.0/20'],
    ],
    ['a private one that is too wide', ['10.0.0.11/24', '10.9.0.6/15'], ['10.0.0.0/24', '10.9.0.6/32'], ['w-1 10.8.0.0/15']],
    ['a link-local one', ['10.0.0.11/24', '169.254.3.6/16'], ['10.0.0.0/24', '169.254.3.6/32'], ['w-1 169.254.0.0/16']],
    ['one in which another is, whose network it need not widen', ['10.0.0.11/24', '10.0.0.6/8'], ['10.0.0.0/24'], []],
  ])('is not %s', (_, addresses, nodeCidrs, unadmitted) => {
    expect(living(...addresses)).toEqual({ nodeCidrs, unadmitted });
  });

  test('is not told by a host of another one', () => {
    const claims = { name: 'eth1', mac: '', mtu: 1500, up: true, addresses: [{ address: '10.0.0.11', prefix: 16 }] };
    const liar = { ...facts['w-1'], interfaces: [...facts['w-1'].interfaces, claims] };
    expect(normalise(clusterOf(), { ...facts, 'w-1': liar }).cluster.network.nodeCidrs).toEqual(['10.0.0.0/24']);
  });

  test('is what the file says', () => {
    const given = clusterOf('  network: { nodeCidrs: [203.0.113.0/24, 10.0.0.0/10] }');
    expect(normalise(given, facts)).toMatchObject({
      cluster: { network: { nodeCidrs: ['203.0.113.0/24', '10.0.0.0/10'] } },
      unadmitted: [],
    });
  });

  test('is warned about where an address alone is left of a network', () => {
    const own = { name: 'eth0', mac: '52:54:00:00:00:77', mtu: 1500, up: true, addresses: [{ address: '10.0.0.21', prefix: 8 }] };
    const network = { interfaces: [own] };
    const others = { 'cp-1': without24('cp-1', '10.0.0.11'), 'w-2': without24('w-2', '10.0.0.22') };
    expect(findings({ facts: { ...others, 'w-1': change(network) } }).filter((line) => line.includes(' firewall '))).toEqual([
      expect.stringMatching(/^warning firewall \[w-1\] its network 10\.0\.0\.0\/8 is not private, or wider .*network\.nodeCidrs/),
    ]);
  });

  const without24 = (name: string, address: string) => (): Facts => ({
    ...healthy(name, address),
    interfaces: [{ name: 'eth0', mac: `52:54:00:00:01:${address.slice(-2)}`, mtu: 1500, up: true, addresses: [{ address, prefix: 32 }] }],
  });
});

describe('interfaces', () => {
  const device = (own: Facts, host: Partial<Host> = {}): string | undefined =>
    normalise(cluster(host), { ...facts, 'cp-1': own }).cluster.hosts[0]!.interface;
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
    expect(normalise(alone, { 'cp-1': { ...own, routesTo: {} } }).cluster.hosts[0]!.interface).toBe('eth0');
  });
});
