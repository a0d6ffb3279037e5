import { describe, expect, test } from '@jest/globals';
import { contains, isIPv4, isIPv6, networkOf, nthAddress, overlaps, parseNetwork } from '../../../src/config/addresses.ts';

describe('isIPv4', () => {
  test.each(['0.0.0.0', '10.0.0.11', '255.255.255.255'])('takes %s', (text) => expect(isIPv4(text)).toBe(true));
  test.each(['10.0.0', '10.0.0.256', '10.0.0.1.2', '0x7f.1', '2130706433', ' 10.0.0.1', '10.0.0.1/24', '::1', 'node', ''])(
    'refuses "%s"',
    (text) => expect(isIPv4(text)).toBe(false),
  );
});

test('isIPv6 knows the forms of IPv6', () => {
  expect(['::1', 'fe80::1%eth0', '2001:db8::', '10.0.0.1', 'a'].map(isIPv6)).toEqual([true, true, true, false, false]);
});

describe('parseNetwork', () => {
  test('gives the bounds', () => {
    expect(parseNetwork('10.1.2.3/24')).toEqual({ first: 0x0a010200, last: 0x0a0102ff, prefix: 24 });
    expect(parseNetwork('0.0.0.0/0')).toEqual({ first: 0, last: 2 ** 32 - 1, prefix: 0 });
    expect(parseNetwork('255.255.255.255/32')).toEqual({ first: 2 ** 32 - 1, last: 2 ** 32 - 1, prefix: 32 });
  });
  test.each(['10.0.0.0', '10.0.0.0/33', '10.0.0.0/', '10.0.0.0/8/8', '10.0.0.0/08', 'fd00::/64', '/8', ''])('refuses "%s"', (text) =>
    expect(parseNetwork(text)).toBeUndefined(),
  );
});

test('networkOf drops the bits behind the prefix', () => {
  expect(networkOf('10.244.1.7/16')).toBe('10.244.0.0/16');
  expect(networkOf('192.168.7.255/31')).toBe('192.168.7.254/31');
});

describe('nthAddress', () => {
  test.each([
    ['10.96.0.0/16', 1, '10.96.0.1'],
    ['10.96.0.0/16', 10, '10.96.0.10'],
    ['10.96.0.0/16', 65_535, '10.96.255.255'],
    ['10.96.0.0/16', -1, '10.96.255.255'],
    ['10.96.5.0/16', 256, '10.96.1.0'],
    ['200.0.0.0/8', 0, '200.0.0.0'],
  ])('of %s, number %i, is %s', (cidr, n, address) => expect(nthAddress(cidr, n)).toBe(address));
  test.each([
    ['10.96.0.0/24', 256],
    ['10.96.0.0/24', -257],
    ['10.96.0.0/24', 1.5],
    ['node', 0],
  ])('of %s, number %d, throws', (cidr, n) => expect(() => nthAddress(cidr, n)).toThrow(RangeError));
});

test('contains tells addresses inside from addresses outside and names', () => {
  expect(
    ['10.244.0.0', '10.244.255.255', '10.245.0.0', '10.243.255.255', 'node', '::1'].map((address) => contains('10.244.0.0/16', address)),
  ).toEqual([true, true, false, false, false, false]);
});

test.each([
  ['10.0.0.0/8', '10.96.0.0/16', true],
  ['10.96.0.0/16', '10.0.0.0/8', true],
  ['10.96.0.0/16', '10.96.0.0/16', true],
  ['10.96.0.0/16', '10.97.0.0/16', false],
  ['0.0.0.0/0', '255.255.255.255/32', true],
])('%s and %s overlap: %s', (a, b, answer) => expect(overlaps(a, b)).toBe(answer));
