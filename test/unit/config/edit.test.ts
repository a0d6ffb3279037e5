import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { addHost, removeHost, setField } from '../../../src/config/edit.ts';
import { parseCluster } from '../../../src/config/parse.ts';

const FLOW = `# top
spec:
  hosts:   # ours
    # the first
    - { address: 10.0.0.1,   roles: [control-plane] }  # keep
    - { name: b, address: 10.0.0.2 }   # two

  # networks
  network: {podCidr:   10.1.0.0/16}
`;
const BLOCK = `spec:
  hosts:
  - address: 10.0.0.1
    roles: [control-plane]

  # second
  - name: b
    address: 10.0.0.2 # two
    labels:
      a: b
  network:
    podCidr: 10.1.0.0/16
`;
const BRACKETS = `spec:
  hosts: [{address: 10.0.0.1,   roles: [control-plane]}, {name: b, address: 10.0.0.2} # two
  ]
  network:    {podCidr: 10.1.0.0/16}
`;
const host = { name: 'w-3', address: '10.0.0.3', labels: { a: 'true' }, privateAddress: undefined };

describe('adding a host', () => {
  test('puts one line behind the last host and leaves every other byte alone', () => {
    expect(addHost(FLOW, host)).toBe(FLOW.replace('# two\n', '# two\n    - { name: w-3, address: 10.0.0.3, labels: { a: "true" } }\n'));
  });
  test('writes it in the manner of the others', () => {
    expect(addHost(BLOCK, host)).toBe(
      BLOCK.replace('  network:', '  - name: w-3\n    address: 10.0.0.3\n    labels:\n      a: "true"\n  network:'),
    );
  });
  test('works in a list in brackets', () => {
    expect(addHost(BRACKETS, host)).toBe(
      BRACKETS.replace('10.0.0.2}', '10.0.0.2}, { name: w-3, address: 10.0.0.3, labels: { a: "true" } }'),
    );
  });
  test('works at the end of a file without a last line end', () => {
    const text = 'spec:\n  hosts:\n    - { address: 10.0.0.1, roles: [control-plane] }';
    expect(addHost(text, { address: '10.0.0.2' })).toBe(`${text}\n    - { address: 10.0.0.2 }\n`);
  });
  test('keeps the line ends of Windows', () => {
    const text = FLOW.replaceAll('\n', '\r\n');
    expect(addHost(text, { address: '10.0.0.3' })).toBe(text.replace('# two\r\n', '# two\r\n    - { address: 10.0.0.3 }\r\n'));
  });
  test('gives a file whose cluster has the host', () => {
    const { cluster } = parseCluster(
      addHost(readFileSync(join(import.meta.dirname, '../../fixtures/config/full.yaml'), 'utf8'), { address: '10.0.0.99' }),
      'c',
    );
    expect(cluster.hosts.map((one) => one.name)).toEqual(['cp-1', 'cp-2', 'cp-3', 'w-1', '10.0.0.99']);
  });
});

describe('removing a host', () => {
  test('takes out its line and leaves every other byte alone', () => {
    expect(removeHost(FLOW, 'b')).toBe(FLOW.replace('    - { name: b, address: 10.0.0.2 }   # two\n', ''));
    expect(removeHost(FLOW, '10.0.0.1')).toBe(FLOW.replace('    - { address: 10.0.0.1,   roles: [control-plane] }  # keep\n', ''));
  });
  test('takes out all of its lines, but no comment above it', () => {
    expect(removeHost(BLOCK, 'b')).toBe(BLOCK.replace(/ {2}- name: b[\s\S]*a: b\n/, ''));
  });
  test('works in a list in brackets, first and last', () => {
    expect(removeHost(BRACKETS, 'b')).toBe(BRACKETS.replace(', {name: b, address: 10.0.0.2}', ''));
    expect(removeHost(BRACKETS, '10.0.0.1')).toBe(BRACKETS.replace('{address: 10.0.0.1,   roles: [control-plane]}, ', ''));
  });
  test('finds a named host by its address too', () => {
    expect(removeHost(FLOW, '10.0.0.2')).toBe(removeHost(FLOW, 'b'));
  });
  test('undoes adding', () => {
    for (const text of [FLOW, BLOCK, BRACKETS]) expect(removeHost(addHost(text, host), 'w-3')).toBe(text);
  });
  test('that is not there is HOST_UNKNOWN with a suggestion', () => {
    expect(() => removeHost(FLOW.replace('name: b', 'name: worker-1'), 'worker1')).toThrow(
      expect.objectContaining({ code: 'HOST_UNKNOWN', hint: 'Did you mean worker-1?' }),
    );
    expect(() => removeHost(FLOW, 'zzz')).toThrow(
      expect.objectContaining({ code: 'HOST_UNKNOWN', hint: 'Hosts in the file: 10.0.0.1, b.' }),
    );
  });
  test('that is the only one is LAST_HOST', () => {
    expect(() => removeHost(removeHost(FLOW, 'b'), '10.0.0.1')).toThrow(expect.objectContaining({ code: 'LAST_HOST' }));
  });
  test('whose anchor others use is refused, not guessed', () => {
    const text = 'spec:\n  hosts:\n    - &a { address: 10.0.0.1, roles: [control-plane] }\n    - { <<: *a, address: 10.0.0.2 }\n';
    expect(() => removeHost(text, '10.0.0.1')).toThrow(expect.objectContaining({ code: 'CLUSTER_FILE_NOT_EDITABLE' }));
  });
});

describe('setting a field', () => {
  test('changes the value alone', () => {
    const text = 'spec:\n  kubernetes: { version: 1.36.3 } # now\n  hosts: []\n';
    expect(setField(text, ['spec', 'kubernetes', 'version'], '1.37.0')).toBe(text.replace('1.36.3', '1.37.0'));
  });
  test('adds the sections that are missing', () => {
    expect(setField(FLOW, ['spec', 'kubernetes', 'version'], '1.37.0')).toBe(
      FLOW.replace('  hosts:', '  kubernetes: { version: 1.37.0 }\n  hosts:'),
    );
    expect(setField(BLOCK, ['spec', 'network', 'flannel', 'mtu'], 1400)).toBe(
      BLOCK.replace('    podCidr', '    flannel: { mtu: 1400 }\n    podCidr'),
    );
    expect(setField(FLOW, ['spec', 'network', 'forwarding'], 'accept')).toBe(FLOW.replace('{podCidr', '{forwarding: accept, podCidr'));
  });
});

test.each(['', 'a: [', 'spec: { hosts: 1 }', 'spec: *x', '- a'])('a file that says %j is not edited', (text) => {
  expect(() => addHost(text, host)).toThrow(expect.objectContaining({ code: 'CLUSTER_FILE_NOT_EDITABLE', category: 'usage' }));
});
