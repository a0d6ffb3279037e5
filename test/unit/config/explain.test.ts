import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { allFields, explainField } from '../../../src/config/explain.ts';
import { explainText } from '../../../src/config/explain-text.ts';
import { fieldTables, jsonSchemaText } from '../../../src/config/generated.ts';

const root = join(import.meta.dirname, '../../..');

describe('explaining a field', () => {
  test('gives its type, default and what is in it', () => {
    expect(explainText(explainField('spec.network.flannel'))).toMatchInlineSnapshot(`
     "spec.network.flannel

       The pod network.

     Fields:
       backend  (vxlan | host-gw | wireguard | udp, default vxlan)
           vxlan works on any network; host-gw is fastest but needs all nodes in one
           layer-2 network; wireguard encrypts; udp is slow, for old kernels only.
       store  (kubernetes | etcd, default kubernetes)
           Where flannel keeps its leases: the Kubernetes API, or etcd, where it gets
           a user that may use its own prefix only. Cannot be changed later.
       mtu  (576..9216)
           MTU of the pod network. Default: flannel derives it from the interface's.
     "
    `);
  });
  test.each(['spec.hosts[2].privateAddress', 'spec.hosts.privateAddress', 'hosts[].privateAddress'])('finds %s', (path) => {
    expect(explainField(path).path).toBe('spec.hosts[].privateAddress');
  });
  test('knows fields under keys of one’s own', () => {
    expect(explainField('spec.components.kubelet.args.v').path).toBe('spec.components.NAME.args.NAME');
  });
  test('of the whole file begins at the top', () => {
    expect(explainField('').fields.map((field) => field.path)).toEqual(['apiVersion', 'kind', 'metadata', 'spec']);
  });
  test.each([
    ['podCidr', 'Did you mean spec.network.podCidr?'],
    ['spec.netwrk', 'Did you mean spec.network?'],
    ['spec.hosts.adress', 'Did you mean spec.hosts[].address?'],
    ['spec.zzzzz', 'slipway explain spec lists the fields.'],
  ])('that does not exist, %s, is FIELD_UNKNOWN', (path, hint) => {
    expect(() => explainField(path)).toThrow(expect.objectContaining({ code: 'FIELD_UNKNOWN', category: 'usage', hint }));
  });
});

test('every field is described', () => {
  expect(allFields().filter((field) => field.description.length < 5)).toEqual([]);
  expect(allFields().length).toBeGreaterThan(50);
});

test('every key of the full example can be explained', () => {
  const paths = (value: unknown, path: string): string[] => {
    if (Array.isArray(value)) return value.flatMap((one) => paths(one, `${path}[]`));
    if (typeof value !== 'object' || value === null) return [path];
    return Object.entries(value).flatMap(([key, inner]) =>
      /[./]/.test(key) || key === '<<' ? [] : paths(inner, path === '' ? key : `${path}.${key}`),
    );
  };
  const file: unknown = parse(readFileSync(join(root, 'test/fixtures/config/full.yaml'), 'utf8'));
  for (const path of paths(file, '')) expect(explainField(path).description).not.toBe('');
});

describe('generated files are fresh (npm run build && node test/generate.mjs)', () => {
  test('schema/v1/cluster.json', () => {
    expect(readFileSync(join(root, 'schema/v1/cluster.json'), 'utf8')).toBe(jsonSchemaText());
  });
  test('docs/cluster-file.md', () => {
    expect(readFileSync(join(root, 'docs/cluster-file.md'), 'utf8')).toContain(fieldTables());
  });
});
