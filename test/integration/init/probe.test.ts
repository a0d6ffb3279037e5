import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hostname, userInfo } from 'node:os';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { keyId, type ProbeRequest, type ProbeResult, sshProbe } from '../../../src/cli/init/probe.ts';
import { parseCluster } from '../../../src/config/parse.ts';
import { freePort, startSshd, type Sshd } from '../../helpers/sshd.ts';

let sshd: Sshd;
let knownHosts: string;
beforeAll(async () => {
  sshd = await startSshd([], ['ed25519']);
  knownHosts = join(sshd.directory, 'own_known_hosts');
});
afterAll(() => sshd.stop());
beforeEach(() => writeFile(knownHosts, ''));

/** The server as host `a`; a port where nobody listens as host `b`. */
async function request(more: Partial<ProbeRequest> = {}): Promise<ProbeRequest> {
  const host = (name: string, port: number, n: number) =>
    `{ name: ${name}, address: 127.0.0.1, privateAddress: 10.0.0.${n}, roles: [control-plane, worker], ssh: { port: ${port} } }`;
  const text = `spec:
  ssh: { user: ${userInfo().username}, identityFile: ${sshd.identityFile}, knownHosts: ${knownHosts}, become: none }
  hosts:
    - ${host('a', sshd.port, 1)}
    - ${host('b', await freePort(), 2)}
`;
  const { cluster } = parseCluster(text, join(sshd.directory, 'cluster.yaml'));
  return { cluster, hosts: ['a'], accepted: new Set(), secret: undefined, signal: new AbortController().signal, ...more };
}

async function look(asked: ProbeRequest): Promise<Record<string, ProbeResult>> {
  const results: Record<string, ProbeResult> = {};
  await sshProbe(asked, (host, result) => (results[host] = result));
  return results;
}

test('an unknown key is handed back as a question, and nothing is recorded', async () => {
  const { a } = await look(await request());
  expect(a).toMatchObject({
    kind: 'unknown-key',
    question: { host: 'a', address: `[127.0.0.1]:${sshd.port}`, type: 'ssh-ed25519', fingerprint: expect.stringMatching(/^SHA256:/) },
  });
  expect(await readFile(knownHosts, 'utf8')).toBe('');
});

test('a confirmed key is recorded, and the facts of the host come back', async () => {
  const first = (await look(await request()))['a'];
  if (first?.kind !== 'unknown-key') throw new Error('the key was known');
  const { a } = await look(await request({ accepted: new Set([keyId(first.question)]) }));
  expect(a).toMatchObject({ kind: 'facts', facts: { hostname: hostname(), cpus: expect.any(Number) } });
  expect(await readFile(knownHosts, 'utf8')).toBe(
    `[127.0.0.1]:${sshd.port} ${sshd.hostKeys['ed25519']!.split(' ').slice(0, 2).join(' ')}\n`,
  );
});

test('a key that was confirmed for another address is not good', async () => {
  const first = (await look(await request()))['a'];
  if (first?.kind !== 'unknown-key') throw new Error('the key was known');
  const { a } = await look(await request({ accepted: new Set([keyId({ ...first.question, address: '10.0.0.9' })]) }));
  expect(a).toMatchObject({ kind: 'unknown-key' });
});

test('a host that does not answer does not keep another one from answering', async () => {
  await writeFile(knownHosts, await readFile(sshd.knownHosts));
  const results = await look(await request({ hosts: ['a', 'b'] }));
  expect(results['a']).toMatchObject({ kind: 'facts' });
  expect(results['b']).toMatchObject({
    kind: 'error',
    secretWanted: false,
    error: { code: 'REMOTE_UNREACHABLE', category: 'unreachable', where: { host: 'b' } },
  });
});

test('an interruption ends it', async () => {
  await expect(look(await request({ signal: AbortSignal.abort() }))).rejects.toMatchObject({ code: 'ABORTED' });
});
