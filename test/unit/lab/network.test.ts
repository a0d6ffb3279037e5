import { describe, expect, test } from '@jest/globals';
import { freeNetwork, parseRefused } from '../../../src/lab/network.ts';

const office = `default via 192.0.2.1 dev eth0
192.0.2.0/24 dev eth0 proto kernel scope link src 192.0.2.2
`;

describe('the network of a new lab', () => {
  test('is the first that is free', () => {
    expect(freeNetwork(office, [])).toEqual({ number: 1, prefix: '10.86.1' });
  });

  test('has a number that no other lab has', () => {
    expect(freeNetwork(office, [1, 2, 4])).toEqual({ number: 3, prefix: '10.86.3' });
  });

  test.each([
    '10.86.1.0/24 dev other',
    '10.86.0.0/16 via 192.0.2.9 dev eth0',
    '10.86.1.7 dev tun0 scope link',
    'local 10.86.1.1 dev other table local',
  ])('keeps clear of the route %s', (route) => {
    expect(freeNetwork(`${office}${route} \n`, [])).toEqual({ number: 1, prefix: '10.87.1' });
  });

  test('does not mind a route to all of 10.0.0.0/8, which its own route goes before', () => {
    expect(freeNetwork(`${office}10.0.0.0/8 via 192.0.2.9 dev tun0 \n`, [])).toEqual({ number: 1, prefix: '10.86.1' });
  });

  test('is refused when every number is taken', () => {
    const all = Array.from({ length: 254 }, (_, i) => i + 1);
    expect(() => freeNetwork(office, all)).toThrow(expect.objectContaining({ code: 'LAB_NO_NETWORK', category: 'refused' }));
  });
});

describe('what an offline lab refused', () => {
  test.each([
    ['legacy', 'tcp', 'udp', 'all'],
    ['1.8.9', '6', '17', '0'],
  ])('is counted by protocol, names and time by their ports (iptables %s)', (_, tcp, udp, all) => {
    const line = (packets: number, protocol: string, rest = ''): string =>
      `  ${packets}  ${packets * 60} REJECT     ${protocol}   --  *      *       0.0.0.0/0            0.0.0.0/0  ${rest} /* slipway-lab x */ reject-with icmp-port-unreachable`;
    const text = [
      'Chain slab1-refused (2 references)',
      '    pkts      bytes target     prot opt in     out     source               destination',
      line(3, udp, 'udp dpt:123'),
      line(0, tcp, 'tcp dpt:53'),
      line(0, udp, 'udp dpt:53'),
      line(2, tcp),
      line(0, udp),
      line(1, all),
    ].join('\n');
    expect(parseRefused(text)).toEqual([
      { protocol: 'udp', port: 123, packets: 3 },
      { protocol: 'tcp', packets: 2 },
      { protocol: 'other', packets: 1 },
    ]);
  });
});
