import { describe, expect, test } from '@jest/globals';
import { parseHostList } from '../../../src/cli/init/hosts-input.ts';

const addresses = (text: string) => parseHostList(text).hosts.map(({ address }) => address);

describe('a list of hosts', () => {
  test.each([
    ['10.0.0.11', ['10.0.0.11']],
    [' 10.0.0.11,10.0.0.12;  node-3\n10.0.0.14 ', ['10.0.0.11', '10.0.0.12', 'node-3', '10.0.0.14']],
    ['10.0.0.[11-14]', ['10.0.0.11', '10.0.0.12', '10.0.0.13', '10.0.0.14']],
    ['10.0.0.11-13', ['10.0.0.11', '10.0.0.12', '10.0.0.13']],
    ['node-[08-11].example.com', ['node-08.example.com', 'node-09.example.com', 'node-10.example.com', 'node-11.example.com']],
    ['n[1, 3,5-6]', ['n1', 'n3', 'n5', 'n6']],
    ['10.0.[1-2].[1-2]', ['10.0.1.1', '10.0.1.2', '10.0.2.1', '10.0.2.2']],
    ['node-1', ['node-1']],
    ['', []],
  ])('%j is %j', (text, expected) => {
    expect(parseHostList(text)).toMatchObject({ problems: [] });
    expect(addresses(text)).toEqual(expected);
  });

  test('may carry names, users and ports', () => {
    expect(parseHostList('cp-1=admin@10.0.0.1:2222 w-[1-2]=10.0.0.[2-3]')).toEqual({
      problems: [],
      hosts: [
        { name: 'cp-1', user: 'admin', address: '10.0.0.1', port: 2222 },
        { name: 'w-1', address: '10.0.0.2' },
        { name: 'w-2', address: '10.0.0.3' },
      ],
    });
  });

  test.each([
    ['10.0.0.256', '10.0.0.256 is not an IPv4 address'],
    ['10.0.0.[250-260]', '10.0.0.256 is not an IPv4 address'],
    ['10.0.0.[14-11]', '10.0.0.[14-11] has a range that cannot be read; write it as in 10.0.0.[11-14]'],
    ['10.0.0.[a-b]', '10.0.0.[a-b] has a range that cannot be read; write it as in 10.0.0.[11-14]'],
    ['10.0.0.[1-2', '10.0.0.[1-2 has a range that cannot be read; write it as in 10.0.0.[11-14]'],
    ['n[1-99999999]', 'n[1-99999999] has a range that cannot be read; write it as in 10.0.0.[11-14]'],
    ['10.0.0.1 10.0.0.[1-2]', '10.0.0.1 is there twice'],
    ['fd00::1', 'fd00::1 is an IPv6 address, and Slipway builds IPv4 clusters only'],
    ['10.0.0.0/24', '10.0.0.0/24 has a slash'],
    ['10.0.0.1:99999', '10.0.0.1:99999 has a port that does not exist'],
    ['-o@10.0.0.1', '-o@10.0.0.1 has a user name that cannot be one'],
    ['A=10.0.0.1', 'the name A has capital letters'],
    ['n[1-3]=10.0.0.[1-2]', 'n[1-3]=10.0.0.[1-2] has 3 names for 2 addresses'],
    ['a$b', 'a$b is neither an IPv4 address nor a DNS name'],
  ])('%j is refused', (text, problem) => {
    expect(parseHostList(text).problems).toContain(problem);
  });

  test('of ports of one address is not a repetition', () => {
    expect(parseHostList('127.0.0.1:2201 127.0.0.1:2202').problems).toEqual([]);
  });
});
