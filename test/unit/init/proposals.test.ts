import { describe, expect, test } from '@jest/globals';
import { chooseNetworks, sharedNetworks } from '../../../src/cli/init/networks.ts';
import { assignRoles, possibleCounts, proposeRoles } from '../../../src/cli/init/roles.ts';
import type { Facts } from '../../../src/facts/facts.ts';
import { healthy } from '../preflight/hosts.ts';

describe('proposed roles', () => {
  test.each([
    [1, 1, true],
    [2, 1, true],
    [3, 3, true],
    [4, 3, true],
    [5, 3, false],
    [19, 3, false],
    [20, 5, false],
    [500, 5, false],
  ])('of %i hosts %i are control planes (ordinary pods on them: %s)', (hosts, controlPlanes, shared) => {
    expect(proposeRoles(hosts)).toMatchObject({ controlPlanes, shared });
  });
  test('say why', () => {
    expect([1, 2, 3, 5, 20].map((hosts) => proposeRoles(hosts).why)).toEqual([
      ['One control plane, as there is one host.', 'It takes ordinary pods too, as there is no other host.'],
      ['One control plane: with two, both would have to be up all the time.', 'It takes ordinary pods too, as there are few other hosts.'],
      ['3 control planes: the cluster survives the loss of any one of them.', 'They take ordinary pods too, as there is no other host.'],
      ['3 control planes: the cluster survives the loss of any one of them.', 'Ordinary pods stay away from the control planes.'],
      ['5 control planes: the cluster survives the loss of any 2 of them.', 'Ordinary pods stay away from the control planes.'],
    ]);
  });
  test('never offer an even number', () => {
    expect([1, 2, 3, 4, 9].map(possibleCounts)).toEqual([[1], [1], [1, 3], [1, 3], [1, 3, 5]]);
  });
  test('become roles of hosts in their order', () => {
    expect([...assignRoles(['a', 'b'], { chosen: new Set(['b']), shared: true })]).toEqual([
      ['a', ['worker']],
      ['b', ['control-plane', 'worker']],
    ]);
  });
});

function withInterface(facts: Facts, name: string, address: string, prefix = 24): Facts {
  return { ...facts, interfaces: [...facts.interfaces, { name, mac: '', mtu: 1500, up: true, addresses: [{ address, prefix }] }] };
}

describe('networks', () => {
  const a = healthy('a', '10.0.0.11');
  const b = healthy('b', '10.0.0.12');
  test('that all hosts are in are found, with the address of each', () => {
    expect(sharedNetworks([withInterface(a, 'eth1', '192.168.7.1'), withInterface(b, 'ens2', '192.168.7.2')])).toEqual([
      {
        cidr: '10.0.0.0/24',
        places: [
          { address: '10.0.0.11', interface: 'eth0' },
          { address: '10.0.0.12', interface: 'eth0' },
        ],
      },
      {
        cidr: '192.168.7.0/24',
        places: [
          { address: '192.168.7.1', interface: 'eth1' },
          { address: '192.168.7.2', interface: 'ens2' },
        ],
      },
    ]);
  });
  test('of container bridges, and with one address on every host, are no shared networks', () => {
    const bridged = [a, b].map((facts) => withInterface(withInterface(facts, 'docker0', '172.17.0.1', 16), 'eth1', '192.168.122.1'));
    expect(sharedNetworks(bridged).map(({ cidr }) => cidr)).toEqual(['10.0.0.0/24']);
  });
  test('for pods and services are the usual ones where they are free', () => {
    expect(chooseNetworks([a, b], 2)).toEqual({ podCidr: '10.244.0.0/16', serviceCidr: '10.96.0.0/16' });
  });
  test('for pods and services avoid the hosts’ own and what they have routes to', () => {
    const routed = { ...a, routes: [...a.routes, { destination: '10.96.0.0/12', via: '10.0.0.1', device: 'eth0', source: undefined }] };
    expect(chooseNetworks([withInterface(routed, 'eth1', '10.244.1.5', 16), b], 2)).toEqual({
      podCidr: '10.42.0.0/16',
      serviceCidr: '10.43.0.0/16',
    });
  });
  test('for pods have room for twice the hosts', () => {
    expect(chooseNetworks([a], 300)).toEqual({ podCidr: '10.128.0.0/10', serviceCidr: '10.96.0.0/16' });
  });
});
