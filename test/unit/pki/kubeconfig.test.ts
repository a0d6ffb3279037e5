import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { operatorKubeconfig, type KubeconfigOptions } from '../../../src/pki/kubeconfig.ts';

const options: KubeconfigOptions = {
  cluster: 'prod',
  servers: [{ name: 'cp-1', url: 'https://10.0.0.11:6443' }],
  user: 'admin',
  certificate: 'CERTIFICATE\n',
  key: 'KEY\n',
  authority: 'AUTHORITY\n',
};

describe('an operator kubeconfig', () => {
  test('for one server has one context, named like the cluster', () => {
    expect(operatorKubeconfig(options)).toBe(`apiVersion: v1
kind: Config
clusters:
  - name: prod
    cluster:
      server: https://10.0.0.11:6443
      certificate-authority-data: QVVUSE9SSVRZCg==
users:
  - name: prod-admin
    user:
      client-certificate-data: Q0VSVElGSUNBVEUK
      client-key-data: S0VZCg==
contexts:
  - name: prod
    context:
      cluster: prod
      user: prod-admin
current-context: prod
preferences: {}
`);
  });

  test('for several control planes has a context for each, the first being current', () => {
    const servers = ['cp-1', 'cp-2', 'cp-3'].map((name, i) => ({ name, url: `https://10.0.0.1${i + 1}:6443` }));
    const config = parse(operatorKubeconfig({ ...options, servers })) as {
      contexts: { name: string; context: { cluster: string; user: string } }[];
      clusters: { name: string; cluster: { server: string } }[];
      'current-context': string;
    };
    expect(config.contexts.map(({ name }) => name)).toEqual(['prod-cp-1', 'prod-cp-2', 'prod-cp-3']);
    expect(config.clusters.map(({ name, cluster }) => `${name} ${cluster.server}`)).toEqual([
      'prod-cp-1 https://10.0.0.11:6443',
      'prod-cp-2 https://10.0.0.12:6443',
      'prod-cp-3 https://10.0.0.13:6443',
    ]);
    expect(config['current-context']).toBe('prod-cp-1');
  });

  test('keeps long certificates on one line and odd names quoted', () => {
    const text = operatorKubeconfig({ ...options, cluster: '1e3', authority: 'x'.repeat(3000) });
    expect(text).toContain(`certificate-authority-data: ${Buffer.from('x'.repeat(3000)).toString('base64')}\n`);
    expect((parse(text) as { 'current-context': unknown })['current-context']).toBe('1e3');
  });

  test('without a server is refused', () => {
    expect(() => operatorKubeconfig({ ...options, servers: [] })).toThrow('A kubeconfig needs a server');
  });
});
