import { expect, test } from '@jest/globals';
import { withHost } from '../../../src/cli/commands/join.ts';
import { parseCluster } from '../../../src/config/parse.ts';

const fileOf = (...hosts: string[]): string =>
  `apiVersion: slipway.dev/v1\nkind: Cluster\nmetadata: { name: c }\nspec:\n  hosts:\n${hosts.map((host) => `    - { ${host} }\n`).join('')}`;

test.each([
  ['where the file names etcd for each control plane', fileOf('name: a, address: 10.0.0.1, roles: [control-plane, etcd]'), ['a', 'b']],
  ['where control planes keep etcd without a word', fileOf('name: a, address: 10.0.0.1, roles: [control-plane]'), ['a', 'b']],
  [
    'where etcd has hosts of its own',
    fileOf('name: a, address: 10.0.0.1, roles: [control-plane]', 'name: e, address: 10.0.0.9, roles: [etcd]'),
    ['e'],
  ],
])('a control plane that is added has etcd as the others do, %s', (_, before, members) => {
  const text = withHost(before, { added: { name: 'b', address: '10.0.0.2', roles: ['control-plane'] }, file: 'cluster.yaml' });
  const { cluster } = parseCluster(text, 'cluster.yaml');
  expect(cluster.hosts.filter(({ roles }) => roles.includes('etcd')).map(({ name }) => name)).toEqual(members);
});
