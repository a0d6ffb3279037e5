import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { loadCluster } from '../../../src/config/load.ts';
import { parseCluster } from '../../../src/config/parse.ts';
import { CONTROL, fileOf, problemsOf } from './problems.ts';

const fixtures = join(import.meta.dirname, '../../fixtures/config');
const fixture = (name: string) => readFileSync(join(fixtures, name), 'utf8');

describe('a valid file', () => {
  test('of six lines is a cluster with every default', () => {
    const ssh = { user: 'admin', become: 'sudo', hostKeys: 'strict', jump: [] };
    const worker = { named: false, roles: ['worker'], labels: {}, taints: [], ssh };
    expect(parseCluster(fixture('six-lines.yaml'), 'cluster.yaml')).toEqual({
      warnings: [],
      locate: expect.any(Function),
      cluster: {
        name: 'kubernetes',
        kubernetes: { version: '1.36.3' },
        hosts: [
          { ...worker, name: '10.0.0.11', address: '10.0.0.11', roles: ['control-plane', 'etcd'] },
          { ...worker, name: '10.0.0.12', address: '10.0.0.12' },
          { ...worker, name: '10.0.0.13', address: '10.0.0.13' },
        ],
        network: {
          podCidr: '10.244.0.0/16',
          nodeCidrMaskSize: 24,
          serviceCidr: '10.96.0.0/16',
          nodeCidrs: [],
          clusterDomain: 'cluster.local',
          flannel: { backend: 'vxlan', store: 'kubernetes' },
          proxy: { mode: 'iptables' },
          forwarding: 'scoped',
        },
        runtime: { kind: 'containerd', registryMirrors: [] },
        api: { endpoint: 'node-local', certSANs: [] },
        artifacts: { source: 'auto', overrides: {} },
        addons: { coredns: true, metricsServer: false, manifests: [] },
        components: {},
        rollout: { maxUnavailable: '10%' },
      },
    });
  });

  test('keeps everything that it says, with paths made absolute and ssh merged field by field', async () => {
    const path = join(fixtures, 'full.yaml');
    const { cluster, warnings } = await loadCluster(path);
    const ssh = {
      user: 'admin',
      port: 2222,
      identityFile: join(fixtures, 'keys/id_ed25519'),
      become: 'sudo',
      hostKeys: 'accept-new',
      knownHosts: join(homedir(), 'hosts'),
      jump: ['ops@bastion.example.com:22'],
    };
    const plain = { named: true, labels: {}, taints: [], ssh };
    expect(warnings).toEqual([]);
    expect(cluster).toEqual({
      name: 'prod',
      kubernetes: { version: '1.36.2' },
      hosts: [
        { ...plain, name: 'cp-1', address: '10.0.0.11', roles: ['control-plane', 'etcd'] },
        { ...plain, name: 'cp-2', address: '10.0.0.12', roles: ['control-plane', 'etcd', 'worker'] },
        {
          ...plain,
          name: 'cp-3',
          address: 'cp-3.example.com',
          privateAddress: '10.0.0.13',
          roles: ['control-plane', 'etcd'],
          ssh: { ...ssh, user: 'root', become: 'none', jump: [] },
        },
        {
          ...plain,
          name: 'w-1',
          address: '203.0.113.21',
          privateAddress: '10.0.1.21',
          interface: 'eth1',
          roles: ['worker'],
          labels: { disk: 'ssd', 'example.com/rack': 'r1' },
          taints: [
            { key: 'dedicated', value: 'db', effect: 'NoExecute' },
            { key: 'gpu', value: '', effect: 'NoSchedule' },
          ],
          ssh: { ...ssh, jump: ['a.example.com', 'u@10.9.9.9:2200'] },
        },
      ],
      network: {
        podCidr: '10.200.0.0/16',
        nodeCidrMaskSize: 25,
        serviceCidr: '10.100.0.0/20',
        nodeCidrs: ['10.0.0.0/24', '10.0.1.0/24'],
        clusterDomain: 'prod.local',
        flannel: { backend: 'wireguard', store: 'kubernetes', mtu: 1380 },
        proxy: { mode: 'nftables' },
        forwarding: 'accept',
      },
      runtime: { kind: 'containerd', registryMirrors: [{ registry: 'docker.io', endpoints: ['https://mirror.example.com'] }] },
      api: { endpoint: { host: 'api.example.com', port: 443 }, certSANs: ['k8s.example.com', '*.k8s.example.com', '192.0.2.1'] },
      artifacts: { source: { bundle: join(fixtures, 'bundles/slipway.tar') }, overrides: {} },
      addons: { coredns: false, metricsServer: true, manifests: [join(fixtures, 'manifests'), '/srv/extra.yaml'] },
      rollout: { maxUnavailable: 2 },
      components: {
        kubelet: { args: { 'max-pods': '120', v: '4' } },
        'kube-apiserver': { args: { 'audit-log-version': '1.10', profiling: 'false', 'feature-gates': 'A=true,B=false' } },
      },
    });
  });

  test('may write the version with a v', () => {
    expect(parseCluster(fileOf([CONTROL], 'kubernetes: { version: v1.36.1 }'), 'c').cluster.kubernetes.version).toBe('1.36.1');
  });

  test('has no etcd on its control planes when another host has it', () => {
    const { cluster } = parseCluster(fileOf([CONTROL, '{ address: 10.0.0.2, roles: [etcd] }']), 'c');
    expect(cluster.hosts.map((host) => host.roles)).toEqual([['control-plane', 'worker'], ['etcd']]);
  });

  test('reads yes, no, on and off as text, as YAML 1.2 does', () => {
    const { cluster } = parseCluster(fileOf(['{ address: 10.0.0.1, roles: [control-plane, worker], labels: { a: yes, b: off } }']), 'c');
    expect(cluster.hosts[0]!.labels).toEqual({ a: 'yes', b: 'off' });
  });

  test('may share hosts’ settings through anchors and merge keys', () => {
    const hosts = [
      '&first { address: 10.0.0.1, roles: [control-plane, worker], labels: &l { a: b } }',
      '{ <<: *first, address: 10.0.0.2, labels: *l }',
    ];
    const { cluster } = parseCluster(fileOf([...hosts, '{ <<: *first, address: 10.0.0.3 }']), 'c');
    expect(cluster.hosts.map((host) => [host.address, host.labels])).toEqual([
      ['10.0.0.1', { a: 'b' }],
      ['10.0.0.2', { a: 'b' }],
      ['10.0.0.3', { a: 'b' }],
    ]);
  });
});

describe('a file that is missing', () => {
  test('is CLUSTER_FILE_MISSING and names slipway init', async () => {
    await expect(loadCluster('/nowhere/cluster.yaml')).rejects.toMatchObject({
      code: 'CLUSTER_FILE_MISSING',
      category: 'usage',
      message: 'There is no cluster file at /nowhere/cluster.yaml',
      where: { file: '/nowhere/cluster.yaml' },
      hint: 'Write one with slipway init, or name another with -f FILE.',
    });
  });

  test('but a directory there is CLUSTER_FILE_UNREADABLE', async () => {
    await expect(loadCluster(fixtures)).rejects.toMatchObject({ code: 'CLUSTER_FILE_UNREADABLE', category: 'usage' });
  });
});

test('a file with many mistakes gets all of them in one run, in its own order', () => {
  expect(`${problemsOf(fixture('broken.yaml')).join('\n')}\n`).toBe(fixture('broken.txt'));
});

test('the error carries the file and a code on every problem', () => {
  const thrown = (() => {
    try {
      return parseCluster('spec: { hosts: [{ address: "a b" }] }', '/srv/c.yaml');
    } catch (error) {
      return error;
    }
  })();
  expect(thrown).toMatchObject({
    code: 'CLUSTER_FILE_INVALID',
    category: 'usage',
    message: '/srv/c.yaml has one problem',
    where: { file: '/srv/c.yaml' },
    errors: [{ code: 'CLUSTER_FILE_INVALID', category: 'usage', where: { file: '/srv/c.yaml', line: 1, column: 28 } }],
  });
});

describe('what is not a cluster file is refused in one sentence', () => {
  test.each([
    ['nothing', '', '1:1 the file is empty | slipway init writes one for you.'],
    ['only a comment', '# hosts\n', '1:1 the file is empty | slipway init writes one for you.'],
    ['a text', 'hello', '1:1 the file holds "hello", not a mapping with the key spec | slipway init writes one for you.'],
    ['a list', '- a', '1:1 the file holds a list, not a mapping with the key spec | slipway init writes one for you.'],
    [
      'a file of another program',
      'apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\nx: y',
      '1:13 apiVersion: "kubeadm.k8s.io/v1beta4" is not a cluster file of Slipway, which reads slipway.dev/v1 | slipway init writes a new one.',
    ],
    [
      'a newer file',
      'apiVersion: slipway.dev/v2\nspec: {}',
      '1:13 apiVersion: "slipway.dev/v2" is not known to this version of Slipway, which reads slipway.dev/v1 | Use the version of Slipway that the file was written for.',
    ],
    ['another kind', 'kind: Host', '1:7 kind: "Host" is not known; the kind of a cluster file is Cluster'],
    [
      'several documents',
      'spec: {}\n---\nspec: {}',
      '2:1 there is a second document in this file; a cluster file is a single one | Remove the line --- and what follows, or put it in a file of its own.',
    ],
    [
      'YAML 1.1',
      '%YAML 1.1\n---\nspec: {}',
      '1:1 YAML 1.1 reads yes, no, on and off as booleans; Slipway reads YAML 1.2 | Remove the %YAML line.',
    ],
    ['a tab for indentation', 'spec:\n\thosts: []', '2:1 a tab is used for indentation, which YAML does not allow | Indent with spaces.'],
    ['a key given twice', 'spec: {}\nspec: {}', '2:1 this key stands twice in the same mapping | Keep one of them.'],
    [
      'an alias without its anchor',
      'spec: *a',
      '1:7 cannot be read as YAML: Unresolved alias (the anchor must be set before the alias): a',
    ],
  ])('%s', (_, text, problem) => {
    expect(problemsOf(text)).toEqual([problem]);
  });
});
