import { describe, expect, test } from '@jest/globals';
import { parseCluster } from '../../../src/config/parse.ts';
import { checkName, clusterFile, hostLink, layout } from '../../../src/lab/layout.ts';

const network = { number: 254, prefix: '10.86.254' };

describe('the hosts of a lab', () => {
  test('are control planes first, then workers, each with its own address', () => {
    const hosts = layout({ hosts: 4, controlPlanes: 2, releases: ['bookworm'], ...network });
    expect(hosts.map((h) => `${h.name} ${h.address} ${h.roles.join('+')}`)).toEqual([
      'cp-1 10.86.254.11 control-plane+etcd',
      'cp-2 10.86.254.12 control-plane+etcd',
      'w-1 10.86.254.21 worker',
      'w-2 10.86.254.22 worker',
    ]);
  });

  test('take the releases in order, and the last one for the rest', () => {
    const hosts = layout({ hosts: 4, controlPlanes: 1, releases: ['bookworm', 'trixie'], ...network });
    expect(hosts.map((h) => h.release)).toEqual(['bookworm', 'trixie', 'trixie', 'trixie']);
  });

  test('have links whose names the kernel accepts, however many there are', () => {
    const hosts = layout({ hosts: 209, controlPlanes: 9, releases: ['bookworm'], ...network });
    expect(Math.max(...hosts.map((h) => hostLink(h.machine).length))).toBeLessThan(16);
    expect(new Set(hosts.map((h) => h.address)).size).toBe(209);
    expect(hosts.at(-1)!.address).toBe('10.86.254.220');
  });

  test.each([
    [0, 0],
    [2, 3],
    [10, 10],
    [300, 1],
    [1.5, 1],
    [Number.NaN, 1],
    [1, -1],
  ])('cannot be %d with %d control planes', (hosts, controlPlanes) => {
    expect(() => layout({ hosts, controlPlanes, releases: [], ...network })).toThrow(expect.objectContaining({ code: 'LAB_SIZE' }));
  });
});

test.each(['../etc', 'Bookworm', '12', ''])('"%s" is no release', (release) => {
  expect(() => layout({ hosts: 1, controlPlanes: 1, releases: [release], ...network })).toThrow(
    expect.objectContaining({ code: 'LAB_RELEASE' }),
  );
});

test('the cluster file is one that the program reads', () => {
  const text = clusterFile({
    name: 'demo',
    user: 'admin',
    hosts: layout({ hosts: 12, controlPlanes: 1, releases: ['bookworm'], ...network }).map((h) => ({ ...h, image: '' })),
  });
  const { cluster } = parseCluster(text, '/labs/demo/cluster.yaml');
  expect(cluster.name).toBe('demo');
  expect(cluster.hosts.map((h) => h.name)).toEqual(['cp-1', ...Array.from({ length: 11 }, (_, i) => `w-${String(i + 1)}`)]);
  expect(cluster.hosts[0]).toMatchObject({
    address: '10.86.254.11',
    roles: ['control-plane', 'etcd'],
    ssh: { user: 'admin', hostKeys: 'strict' },
  });
});

test.each(['', 'Lab', '../x', 'a b', '-a', 'a-', 'a'.repeat(41), 'a.b'])('"%s" is no name for a lab', (name) => {
  expect(() => {
    checkName(name);
  }).toThrow(expect.objectContaining({ code: 'LAB_NAME' }));
});
