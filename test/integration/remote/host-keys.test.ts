import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { isSlipwayError, type SlipwayError } from '../../../src/base/errors.ts';
import { connect, type ConnectOptions } from '../../../src/remote/connect.ts';
import type { HostKeyQuestion, Prompts, Target } from '../../../src/remote/target.ts';
import { startSshServer, type SshServer } from '../../helpers/ssh-server.ts';

let server: SshServer;
let other: SshServer;
let directory: string;

beforeAll(async () => {
  server = await startSshServer({ hostKeyTypes: ['ecdsa', 'ed25519'], methods: ['password'], password: 'hunter2' });
  other = await startSshServer({ hostKeyTypes: ['ed25519', 'ecdsa'] });
});

afterAll(() => Promise.all([server.stop(), other.stop()]));

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'slipway-keys-'));
  server.credentials.length = 0;
});

afterEach(() => rm(directory, { recursive: true }));

/** A person who knows the password; the answer to host keys is given. */
function person(accept: boolean): Prompts & { questions: HostKeyQuestion[] } {
  const questions: HostKeyQuestion[] = [];
  return {
    questions,
    secret: async () => 'hunter2',
    hostKey: async (question) => {
      questions.push(question);
      return accept;
    },
  };
}

async function knownHosts(text: string): Promise<string> {
  const file = join(directory, 'known_hosts');
  await writeFile(file, text);
  return file;
}

/** A line for the server's address that holds the other server's key. */
function wrongLine(type: string): string {
  return `[127.0.0.1]:${server.port} ${other.hostKeyLines[type]!.split(' ').slice(1).join(' ')}`;
}

async function works(target: Target, options: ConnectOptions): Promise<void> {
  const runner = await connect(target, options);
  try {
    expect((await runner.run('echo hi')).stdout).toBe('hi\n');
  } finally {
    await runner.close();
  }
}

async function refusal(target: Target, options: ConnectOptions = {}): Promise<SlipwayError> {
  const error = await connect(target, options).then(
    (runner) => runner.close().then(() => undefined),
    (reason: unknown) => reason,
  );
  if (!isSlipwayError(error)) throw new Error(`not refused: ${String(error)}`);
  return error;
}

describe('a known key', () => {
  test('is accepted without a question', async () => {
    const prompts = person(false);
    await works(server.target(), { prompts });
    expect(prompts.questions).toEqual([]);
  });

  test.each(['ed25519', 'ecdsa'])('of type %s alone is the one that the server is asked for', async (type) => {
    const file = await knownHosts(server.hostKeyLines[type]!);
    await works(server.target({ knownHosts: [file] }), { prompts: person(false) });
  });
});

describe.each<Target['hostKeys']>(['strict', 'accept-new'])('a changed key (%s)', (hostKeys) => {
  test('is refused before any password is sent, and the error says where it stands and how to remove it', async () => {
    const file = await knownHosts(`# first line\n${wrongLine('ed25519')}`);
    const prompts = person(true);
    const error = await refusal(server.target({ hostKeys, knownHosts: [file] }), { prompts });
    expect(error).toMatchObject({ code: 'HOST_KEY_CHANGED', category: 'unreachable', where: { host: 'host-1', file, line: 2 } });
    expect(error.hint).toContain(`ssh-keygen -R '[127.0.0.1]:${server.port}' -f ${file}`);
    expect(error.message).toMatch(/SHA256:\S+.*SHA256:\S+/);
    expect(server.credentials).toEqual([]);
    expect(prompts.questions).toEqual([]);
  });

  test('is refused also when the server has lost the type that is known', async () => {
    const file = await knownHosts(wrongLine('ecdsa'));
    const single = await startSshServer({ hostKeyTypes: ['ed25519'], methods: ['password'], password: 'hunter2' });
    await writeFile(file, wrongLine('ecdsa').replace(String(server.port), String(single.port)));
    expect(await refusal(single.target({ hostKeys, knownHosts: [file] }), { prompts: person(true) })).toMatchObject({
      code: 'HOST_KEY_CHANGED',
    });
    expect(single.credentials).toEqual([]);
    await single.stop();
  });
});

describe('an unknown key', () => {
  test('is refused when nobody can be asked, with its fingerprint', async () => {
    const error = await refusal(server.target({ knownHosts: [join(directory, 'none')] }));
    expect(error).toMatchObject({ code: 'HOST_KEY_UNKNOWN', category: 'unreachable' });
    expect(error.message).toMatch(/ssh-ed25519 SHA256:[A-Za-z0-9+/]{43}$/);
    expect(error.hint).toContain('ssh-keyscan');
    expect(server.credentials).toEqual([]);
  });

  test('is refused when the person says no, and nothing is recorded', async () => {
    const file = await knownHosts('');
    expect(await refusal(server.target({ knownHosts: [file] }), { prompts: person(false) })).toMatchObject({ code: 'HOST_KEY_UNKNOWN' });
    expect(await readFile(file, 'utf8')).toBe('');
    expect(server.credentials).toEqual([]);
  });

  test('is recorded when the person says yes, in a new file that is private', async () => {
    const file = join(directory, 'new', 'known_hosts');
    const prompts = person(true);
    await works(server.target({ knownHosts: [file] }), { prompts });
    expect(prompts.questions).toMatchObject([{ host: 'host-1', address: `[127.0.0.1]:${server.port}`, type: 'ssh-ed25519' }]);
    expect(await readFile(file, 'utf8')).toBe(server.hostKeyLines['ed25519']);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect((await stat(join(directory, 'new'))).mode & 0o777).toBe(0o700);
    await works(server.target({ knownHosts: [file] }), { prompts });
    expect(prompts.questions).toHaveLength(1);
  });

  test('is recorded on a line of its own although the last line has no end', async () => {
    const file = await knownHosts('# no line end');
    await works(server.target({ hostKeys: 'accept-new', knownHosts: [file] }), { prompts: person(false) });
    expect(await readFile(file, 'utf8')).toBe(`# no line end\n${server.hostKeyLines['ed25519']!}`);
  });

  test('is recorded by accept-new without a question', async () => {
    const file = join(directory, 'known_hosts');
    const prompts = person(false);
    await works(server.target({ hostKeys: 'accept-new', knownHosts: [file] }), { prompts });
    expect(prompts.questions).toEqual([]);
    expect(await readFile(file, 'utf8')).toBe(server.hostKeyLines['ed25519']);
  });

  test('that cannot be recorded is refused', async () => {
    await writeFile(join(directory, 'file'), '');
    const target = server.target({ hostKeys: 'accept-new', knownHosts: [join(directory, 'file', 'known_hosts')] });
    expect(await refusal(target, { prompts: person(true) })).toMatchObject({ code: 'HOST_KEY_NOT_RECORDED', category: 'usage' });
    expect(server.credentials).toEqual([]);
  });
});

test('a revoked key is refused although another line knows it', async () => {
  const line = server.hostKeyLines['ed25519']!;
  const file = await knownHosts(`${line}@revoked ${line}`);
  const error = await refusal(server.target({ knownHosts: [file], hostKeys: 'accept-new' }), { prompts: person(true) });
  expect(error).toMatchObject({ code: 'HOST_KEY_REVOKED', where: { file, line: 2 } });
  expect(server.credentials).toEqual([]);
});

test('with hostKeys off any key is accepted, nothing is recorded, and every connection warns', async () => {
  const file = await knownHosts(wrongLine('ed25519'));
  const before = await readFile(file, 'utf8');
  const warnings: string[] = [];
  await works(server.target({ hostKeys: 'off', knownHosts: [file] }), {
    prompts: person(false),
    log: ({ level, message }) => void (level === 'warn' && warnings.push(message)),
  });
  expect(await readFile(file, 'utf8')).toBe(before);
  expect(warnings).toEqual([expect.stringContaining('not verified')]);
});

test('keys of several hosts recorded at the same time are all there', async () => {
  const file = join(directory, 'known_hosts');
  const servers = await Promise.all(Array.from({ length: 5 }, () => startSshServer()));
  const runners = await Promise.all(servers.map((one) => connect(one.target({ hostKeys: 'accept-new', knownHosts: [file] }))));
  await Promise.all(runners.map((runner) => runner.close()));
  const lines = (await readFile(file, 'utf8')).split('\n').filter(Boolean);
  expect(lines.sort()).toEqual(servers.map((one) => one.hostKeyLines['ed25519']!.trim()).sort());
  await Promise.all(servers.map((one) => one.stop()));
});
