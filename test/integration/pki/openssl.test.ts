import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { authorities } from '../../../src/pki/authorities.ts';
import type { IssuedPair } from '../../../src/pki/issue.ts';
import { openState, type State } from '../../../src/pki/state.ts';
import type { Authority } from '../../../src/pki/types.ts';
import { spec } from '../../unit/pki/specs.ts';

const run = promisify(execFile);
let parent: string;
let state: State;
const leaves = new Map<string, IssuedPair>();

beforeAll(async () => {
  parent = await mkdtemp(join(tmpdir(), 'slipway-openssl-'));
  state = await openState(join(parent, 'prod.state'), { cluster: 'prod' });
  for (const authority of authorities) {
    await state.createAuthority(authority);
    await writeFile(join(parent, `${authority}.crt`), await state.authorityCertificate(authority));
    for (const usage of ['server', 'client'] as const) {
      const pair = await state.issue(
        'cp-1',
        spec({ name: `${authority}-${usage}`, authority, usages: [usage], organizations: ['system:nodes'] }),
      );
      leaves.set(`${authority}-${usage}`, pair);
      await writeFile(join(parent, `${authority}-${usage}.crt`), pair.certificatePem);
    }
  }
});

afterAll(async () => {
  await state.close();
  await rm(parent, { recursive: true });
});

function verify(authority: Authority, leaf: string, ...more: string[]): Promise<{ stdout: string }> {
  return run('openssl', ['verify', '-x509_strict', ...more, '-CAfile', join(parent, `${authority}.crt`), join(parent, `${leaf}.crt`)]);
}

describe('openssl, strict about RFC 5280,', () => {
  test.each(authorities)('accepts what the %s authority issued for its purpose, name and address', async (authority) => {
    await expect(verify(authority, `${authority}-server`, '-purpose', 'sslserver', '-verify_ip', '10.0.0.11')).resolves.toMatchObject({
      stdout: expect.stringContaining('OK'),
    });
    await expect(
      verify(authority, `${authority}-server`, '-verify_hostname', 'kubernetes.default.svc.cluster.local'),
    ).resolves.toBeDefined();
    await expect(verify(authority, `${authority}-client`, '-purpose', 'sslclient')).resolves.toBeDefined();
  });

  test('refuses other purposes, names, addresses and times', async () => {
    await expect(verify('etcd', 'etcd-client', '-purpose', 'sslserver')).rejects.toMatchObject({
      stderr: expect.stringContaining('purpose'),
    });
    await expect(verify('etcd', 'etcd-server', '-purpose', 'sslclient')).rejects.toMatchObject({
      stderr: expect.stringContaining('purpose'),
    });
    await expect(verify('etcd', 'etcd-server', '-verify_hostname', 'cp-2')).rejects.toMatchObject({
      stderr: expect.stringContaining('ostname mismatch'),
    });
    await expect(verify('etcd', 'etcd-server', '-verify_ip', '10.0.0.12')).rejects.toMatchObject({
      stderr: expect.stringContaining('IP address mismatch'),
    });
    const inTwoYears = String(Math.floor(Date.now() / 1000) + 2 * 365 * 86_400);
    await expect(verify('etcd', 'etcd-server', '-attime', inTwoYears)).rejects.toMatchObject({
      stderr: expect.stringContaining('expired'),
    });
  });

  test('trusts no authority for what another one issued', async () => {
    for (const issuer of authorities) {
      for (const other of authorities.filter((name) => name !== issuer))
        await expect(verify(other, `${issuer}-client`)).rejects.toBeDefined();
    }
  });

  test('lets no leaf sign', async () => {
    const { stdout } = await run('openssl', ['x509', '-in', join(parent, 'etcd-server.crt'), '-noout', '-purpose']);
    expect(stdout).toContain('SSL server : Yes\n');
    expect(stdout).toContain('SSL server CA : No\n');
  });
});

describe('a TLS connection with certificates on both sides', () => {
  async function handshake(clientOf: string): Promise<string> {
    const server = leaves.get('etcd-server')!;
    const trusted = await state.authorityCertificate('etcd');
    const listener = createServer({
      cert: server.certificatePem,
      key: server.keyPem,
      ca: trusted,
      requestCert: true,
      rejectUnauthorized: true,
    });
    const outcome = new Promise<string>((resolve) => {
      listener.on('secureConnection', (socket: TLSSocket) => {
        resolve(`accepted ${socket.getPeerCertificate().subject.O}`);
        socket.end();
      });
      listener.on('tlsClientError', (error) => resolve(`refused ${(error as NodeJS.ErrnoException).code}`));
    });
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
    const { port } = listener.address() as { port: number };
    const client = leaves.get(clientOf)!;
    const socket = connect({ port, host: '127.0.0.1', ca: trusted, cert: client.certificatePem, key: client.keyPem });
    socket.on('error', () => undefined);
    socket.resume();
    try {
      return await outcome;
    } finally {
      socket.destroy();
      await new Promise((resolve) => listener.close(resolve));
    }
  }

  test('is made when one authority issued both, and refused to a client of another one', async () => {
    await expect(handshake('etcd-client')).resolves.toBe('accepted system:nodes');
    await expect(handshake('kubernetes-client')).resolves.toMatch(/^refused /);
  });
});
