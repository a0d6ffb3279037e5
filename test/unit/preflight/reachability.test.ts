import { expect, test } from '@jest/globals';
import type { Facts } from '../../../src/facts/facts.ts';
import { findings } from './hosts.ts';

const drops = (facts: Facts): Facts => ({ ...facts, firewall: { ...facts.firewall, ufw: true } });
const ours = (facts: Facts): Facts => ({ ...facts, leftovers: [{ of: 'slipway', path: '/var/lib/slipway' }], cluster: { name: 'prod' } });
const blocked = (why: string) => ({
  passages: [{ from: 'w-1', to: 'cp-1', protocol: 'tcp' as const, port: 6443, by: 'kube-apiserver', state: 'blocked' as const, why }],
  sizes: [],
  silent: {},
});
const errors = (why: string, change: (facts: Facts) => Facts): string[] =>
  findings({ network: blocked(why), facts: { 'cp-1': change } }).filter((line) => line.startsWith('error reachability'));

test('a firewall that the plan opens keeps nobody out of a new host, but does of one that is installed', () => {
  expect(errors('Connection timed out', (facts) => facts)).toHaveLength(1);
  expect(errors('Connection timed out', drops)).toEqual([]);
  expect(errors('Connection timed out', (facts) => ours(drops(facts)))).toHaveLength(1);
});

test('a host that may not send is not helped by that', () => {
  expect(errors('Operation not permitted', drops)).toHaveLength(1);
});
