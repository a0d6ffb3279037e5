import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { resolveTarget, type TargetFields } from '../../../src/remote/ssh-config.ts';
import type { Target } from '../../../src/remote/target.ts';

let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'slipway-ssh-config-'));
});

afterAll(() => rmSync(directory, { recursive: true }));

let files = 0;

/** Resolves with an ssh_config of its own; the fields are the smallest possible but for the changes. */
function resolve(config: string, changes: Partial<TargetFields> = {}): Promise<Target> {
  const configFile = join(directory, `config-${files++}`);
  writeFileSync(configFile, config);
  return resolveTarget({ address: 'cp-1', become: 'sudo', hostKeys: 'strict', jump: [], ...changes }, { configFile });
}

const home = (path: string): string => join(homedir(), path);

test('without any configuration the defaults of OpenSSH count', async () => {
  const target = await resolve('', { address: '10.0.0.11' });
  expect(target).toMatchObject({
    name: '10.0.0.11',
    address: '10.0.0.11',
    port: 22,
    user: userInfo().username,
    identityFiles: [],
    agent: true,
    become: 'sudo',
    hostKeys: 'strict',
    jump: [],
  });
  expect(target.knownHosts.slice(0, 2)).toEqual([home('.ssh/known_hosts'), home('.ssh/known_hosts2')]);
  expect(target.knownHosts).toContain('/etc/ssh/ssh_known_hosts');
});

describe('ssh_config', () => {
  test('gives address, user, port, key and known_hosts files', async () => {
    const target = await resolve(`Host cp-*
  HostName %h.example
  User admin
  Port 2222
  IdentityFile ~/keys/%r@%h
  UserKnownHostsFile ~/kh1 /tmp/kh2
  GlobalKnownHostsFile /tmp/kh3`);
    expect(target).toMatchObject({
      name: 'cp-1',
      address: 'cp-1.example',
      user: 'admin',
      port: 2222,
      identityFiles: [home('keys/admin@cp-1.example')],
      knownHosts: [home('kh1'), '/tmp/kh2', '/tmp/kh3'],
    });
  });

  test('gives way to explicit fields', async () => {
    const target = await resolve(
      'Host cp-1\n  User admin\n  Port 2222\n  IdentityFile ~/other\n  UserKnownHostsFile ~/kh1\n  ProxyJump elsewhere',
      {
        name: 'first',
        user: 'me',
        port: 22,
        identityFile: '~/mine',
        knownHosts: '~/my-hosts',
        jump: ['bastion'],
      },
    );
    expect(target).toMatchObject({ name: 'first', user: 'me', port: 22, identityFiles: [home('mine')], knownHosts: [home('my-hosts')] });
    expect(target.jump.map(({ address }) => address)).toEqual(['bastion']);
  });

  test.each([
    ['IdentityAgent none', { agent: false, agentSocket: 'none' }],
    ['IdentityAgent ~/agent.sock', { agent: true, agentSocket: home('agent.sock') }],
    ['IdentitiesOnly yes', { agent: false }],
    ['CertificateFile ~/key-cert.pub', { certificates: [home('key-cert.pub')] }],
  ])('understands %s', async (line, expected) => {
    expect(await resolve(`Host *\n  ${line}`)).toMatchObject(expected);
  });

  test('that cannot be read is an error with what ssh says', async () => {
    await expect(resolve('Host *\n  NoSuchKeyword yes')).rejects.toMatchObject({
      code: 'SSH_CONFIG_INVALID',
      category: 'usage',
      evidence: expect.stringMatching(/nosuchkeyword/i),
    });
  });

  test('with a ProxyCommand is refused, unless a jump host is given', async () => {
    const config = 'Host cp-1\n  ProxyCommand nc %h %p';
    await expect(resolve(config)).rejects.toMatchObject({ code: 'SSH_CONFIG_UNSUPPORTED', category: 'usage' });
    expect((await resolve(config, { jump: ['bastion'] })).jump).toHaveLength(1);
  });
});

describe('jump hosts', () => {
  test('of the cluster file are understood in every spelling, and keep their own settings of ssh_config', async () => {
    const { jump } = await resolve('Host b2\n  HostName b2.example\n  User bastion\n  IdentityFile ~/b2', {
      identityFile: '~/mine',
      jump: ['op@b1:2201', 'b2', '[fe80::1]:23', 'ssh://x@b4'],
    });
    expect(jump).toMatchObject([
      { name: 'b1', user: 'op', address: 'b1', port: 2201, identityFiles: [home('mine')], become: 'none', jump: [] },
      { name: 'b2', user: 'bastion', address: 'b2.example', port: 22, identityFiles: [home('b2')] },
      { address: 'fe80::1', port: 23 },
      { address: 'b4', user: 'x' },
    ]);
  });

  test('of ProxyJump are gone through in order, after those of the first of them', async () => {
    const { jump } = await resolve('Host cp-1\n  ProxyJump b1,b2\nHost b1\n  ProxyJump b0\nHost b2\n  ProxyJump none');
    expect(jump.map(({ address }) => address)).toEqual(['b0', 'b1', 'b2']);
  });

  test('that lead in a circle are refused', async () => {
    await expect(resolve('Host cp-1 b1 b2\n  ProxyJump b1,b2')).rejects.toMatchObject({ code: 'SSH_CONFIG_UNSUPPORTED' });
  });

  test.each(['a b', '@', 'host:port', ''])('written as "%s" are refused', async (jump) => {
    await expect(resolve('', { jump: [jump] })).rejects.toMatchObject({ code: 'ADDRESS_INVALID' });
  });
});

test.each(['-oProxyCommand=x', 'a b', 'a;b', ''])('the address "%s" is refused before ssh sees it', async (address) => {
  await expect(resolve('', { address })).rejects.toMatchObject({ code: 'ADDRESS_INVALID', category: 'usage' });
});
