import { expect, test } from '@jest/globals';
import { parseCluster } from '../../../src/config/parse.ts';
import { renderClusterFile } from '../../../src/config/render.ts';

test('a new file explains itself', () => {
  expect(
    renderClusterFile({
      name: 'prod',
      ssh: { user: 'admin', identityFile: '~/.ssh/id_ed25519' },
      hosts: [{ name: 'cp-1', address: '10.0.0.11', roles: ['control-plane'] }, { address: '10.0.0.21' }],
      remarks: ['One control plane: fewer than three hosts.'],
    }),
  ).toMatchInlineSnapshot(`
   "# yaml-language-server: $schema=https://slipway.dev/schema/v1/cluster.json
   #
   # A cluster of Slipway. Keep this file in version control; it holds no secrets.
   # slipway explain spec.network tells about each field.
   apiVersion: slipway.dev/v1
   kind: Cluster
   metadata: { name: prod }

   spec:
     kubernetes: { version: 1.36.3 }

     # How to reach the hosts. Each host can override these.
     ssh: { user: admin, identityFile: ~/.ssh/id_ed25519 }

     # One control plane: fewer than three hosts.
     hosts:
       - { name: cp-1, address: 10.0.0.11, roles: [control-plane] }
       - { address: 10.0.0.21 }

     # Networks inside of the cluster: they must not overlap each other, nor the hosts' own. They cannot be changed later.
     # network:
     #   podCidr: 10.244.0.0/16
     #   serviceCidr: 10.96.0.0/16
     #   flannel: { backend: vxlan }      # vxlan | host-gw | wireguard | udp
     #   proxy: { mode: iptables }        # iptables | nftables | ipvs
     #   forwarding: scoped               # scoped: only pod traffic | accept: the whole host forwards

     # runtime: { kind: containerd, registryMirrors: [] }
     # api: { endpoint: node-local, certSANs: [] }   # or endpoint: { host: lb.example.com, port: 6443 }
     # artifacts: { source: auto }       # auto | release | { mirror: URL } | { bundle: FILE } | go
     # addons: { coredns: true, metricsServer: false, manifests: [] }
     # components: { kubelet: { args: { v: 2 } } }
   "
  `);
});

test('everything that was answered is read back', () => {
  const text = renderClusterFile({
    name: 'true',
    kubernetes: { version: '1.36.1' },
    ssh: { user: '1', port: 2222, identityFile: '~/a b #c', jump: ['a', 'b@c:22'], hostKeys: 'off' },
    hosts: [
      { name: '1e3', address: 'node.example.com', roles: ['control-plane', 'worker'], labels: { 'a/b': 'true', c: '', d: '0x1' } },
      { address: '10.0.0.2', taints: ['a=b:NoSchedule', { key: 'x', effect: 'NoExecute' }], ssh: { user: undefined, port: 22 } },
    ],
    network: {
      podCidr: '10.1.0.0/16',
      nodeCidrMaskSize: 25,
      clusterDomain: 'k8s.internal',
      flannel: { backend: 'wireguard', mtu: 1300 },
      forwarding: 'accept',
      nodeCidrs: ['10.0.0.0/24', '192.0.2.0/24'],
    },
    runtime: { registryMirrors: [{ registry: 'docker.io', endpoints: ['https://a.example.com/x,y', 'https://b.example.com'] }] },
    api: { endpoint: { host: 'lb.example.com', port: 443 }, certSANs: ['*.example.com'] },
    artifacts: { source: { mirror: 'https://m.example.com' } },
    addons: { metricsServer: true },
    components: { kubelet: { args: { v: 4, 'feature-gates': 'A=true,B=false', x: 'a: "b" {c}' } } },
  });
  expect(parseCluster(text, '/srv/c.yaml').cluster).toMatchObject({
    name: 'true',
    kubernetes: { version: '1.36.1' },
    hosts: [
      {
        name: '1e3',
        labels: { 'a/b': 'true', c: '', d: '0x1' },
        roles: ['control-plane', 'etcd', 'worker'],
        ssh: { user: '1', port: 2222, identityFile: expect.stringMatching(/\/a b #c$/), jump: ['a', 'b@c:22'], hostKeys: 'off' },
      },
      {
        name: '10.0.0.2',
        taints: [
          { key: 'a', value: 'b', effect: 'NoSchedule' },
          { key: 'x', value: '', effect: 'NoExecute' },
        ],
        ssh: { user: '1', port: 22 },
      },
    ],
    network: {
      podCidr: '10.1.0.0/16',
      nodeCidrMaskSize: 25,
      clusterDomain: 'k8s.internal',
      flannel: { backend: 'wireguard', mtu: 1300 },
      forwarding: 'accept',
    },
    runtime: { registryMirrors: [{ registry: 'docker.io', endpoints: ['https://a.example.com/x,y', 'https://b.example.com'] }] },
    api: { endpoint: { host: 'lb.example.com', port: 443 }, certSANs: ['*.example.com'] },
    artifacts: { source: { mirror: 'https://m.example.com' } },
    addons: { coredns: true, metricsServer: true },
    components: { kubelet: { args: { v: '4', 'feature-gates': 'A=true,B=false', x: 'a: "b" {c}' } } },
  });
});

test('the defaults that a new file shows as comments are the real ones', () => {
  const answers = { hosts: [{ address: '10.0.0.1', roles: ['control-plane' as const, 'worker' as const] }] };
  const text = renderClusterFile(answers);
  const uncommented = text
    .replaceAll(/^ {2}# (?=(network|runtime|api|artifacts|addons):| {2}\w+: )/gm, '  ')
    .replace(/^ {2}# (ssh|components):.*$/gm, '');
  expect(uncommented).toContain('\n  runtime: { kind: containerd');
  expect(parseCluster(uncommented, 'c').cluster).toEqual(parseCluster(text, 'c').cluster);
});
