import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, readFile, rm, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { isSlipwayError, type SlipwayError } from '../../../src/base/errors.ts';
import { connect, type ConnectOptions } from '../../../src/remote/connect.ts';
import type { Prompts, Target } from '../../../src/remote/target.ts';
import { freePort, generateKey, startSshd, type Sshd } from '../../helpers/sshd.ts';
import { startSshServer, type SshServer, type SshServerOptions } from '../../helpers/ssh-server.ts';

const exec = promisify(execFile);
let sshd: Sshd;
const servers: SshServer[] = [];

beforeAll(async () => {
  sshd = await startSshd();
});

afterAll(() => sshd.stop());
afterEach(() => Promise.all(servers.splice(0).map((server) => server.stop())));

async function serverWith(options: SshServerOptions): Promise<SshServer> {
  const server = await startSshServer(options);
  servers.push(server);
  return server;
}

type Question = Parameters<Prompts['secret']>[0];

function person(answer: (question: Question) => string | undefined): Prompts & { questions: Question[] } {
  const questions: Question[] = [];
  return {
    questions,
    secret: async (question) => {
      questions.push(question);
      return answer(question);
    },
    hostKey: async () => false,
  };
}

async function works(target: Target, options: ConnectOptions = {}): Promise<void> {
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

/** A key that sshd lets in. */
async function admittedKey(name: string, type: string, passphrase = ''): Promise<string> {
  const path = join(sshd.directory, name);
  await generateKey(path, type, passphrase);
  await appendFile(join(sshd.directory, 'authorized_keys'), await readFile(`${path}.pub`));
  return path;
}

describe('a key file', () => {
  test.each(['ed25519', 'ecdsa', 'rsa'])('of type %s logs in', async (type) => {
    await works(sshd.target({ identityFiles: [await admittedKey(`plain_${type}`, type)] }));
  });

  test('that is encrypted is decrypted with a passphrase that is asked for once in a run', async () => {
    const path = await admittedKey('encrypted', 'ed25519', 'open sesame');
    const prompts = person(() => 'open sesame');
    await Promise.all([
      works(sshd.target({ identityFiles: [path] }), { prompts }),
      works(sshd.target({ identityFiles: [path] }), { prompts }),
    ]);
    await works(sshd.target({ identityFiles: [path] }), { prompts });
    expect(prompts.questions).toEqual([{ kind: 'passphrase', subject: path, host: 'host-1' }]);
  });

  test('that is encrypted the old way (PEM) logs in too', async () => {
    const path = await admittedKey('old', 'rsa');
    await exec('ssh-keygen', ['-q', '-p', '-m', 'PEM', '-N', 'open sesame', '-f', path]);
    const prompts = person(() => 'open sesame');
    await works(sshd.target({ identityFiles: [path] }), { prompts });
    await rm(`${path}.pub`);
    await works(sshd.target({ identityFiles: [path] }), { prompts });
  });

  test('that is encrypted but not accepted by the server is never asked about', async () => {
    const path = join(sshd.directory, 'stranger');
    await generateKey(path, 'ed25519', 'open sesame');
    const prompts = person(() => 'open sesame');
    expect(await refusal(sshd.target({ identityFiles: [path] }), { prompts })).toMatchObject({ code: 'AUTH_REFUSED' });
    expect(prompts.questions).toEqual([]);
  });

  test('with a wrong passphrase, or nobody to ask for it, is named', async () => {
    const path = await admittedKey('locked', 'ed25519', 'open sesame');
    const target = sshd.target({ identityFiles: [path] });
    expect(await refusal(target, { prompts: person(() => 'wrong') })).toMatchObject({
      code: 'KEY_PASSPHRASE_WRONG',
      where: { file: path },
    });
    expect(await refusal(target)).toMatchObject({ code: 'KEY_PASSPHRASE_NEEDED', hint: expect.stringContaining(`ssh-add ${path}`) });
  });

  test('that is missing or no key is an error in the configuration', async () => {
    const missing = join(sshd.directory, 'missing');
    expect(await refusal(sshd.target({ identityFiles: [missing] }))).toMatchObject({
      code: 'KEY_UNUSABLE',
      category: 'usage',
      where: { file: missing },
    });
    const text = join(sshd.directory, 'text');
    await writeFile(text, 'hello');
    expect(await refusal(sshd.target({ identityFiles: [text] }))).toMatchObject({ code: 'KEY_UNUSABLE', category: 'usage' });
  });

  test('that is missing is passed over as long as there is another, and named when the login is refused', async () => {
    const missing = join(sshd.directory, 'missing');
    await works(sshd.target({ identityFiles: [missing, sshd.identityFile] }));
    const stranger = join(sshd.directory, 'stranger2');
    await generateKey(stranger, 'ed25519');
    const error = await refusal(sshd.target({ identityFiles: [missing, stranger] }));
    expect(error).toMatchObject({ code: 'AUTH_REFUSED', evidence: expect.stringContaining(missing) });
  });

  test('that the server does not know is refused with what was offered and what to do', async () => {
    const path = join(sshd.directory, 'unknown');
    await generateKey(path, 'ed25519');
    const error = await refusal(sshd.target({ identityFiles: [path] }));
    expect(error).toMatchObject({ code: 'AUTH_REFUSED', category: 'unreachable', where: { host: 'host-1' } });
    expect(error.message).toContain(path);
    expect(error.message).toContain('the server accepts: publickey');
    expect(error.hint).toContain('authorized_keys');
  });

  test('with an OpenSSH certificate is refused with a word about certificates when the server wants one', async () => {
    const authority = join(sshd.directory, 'ca');
    await generateKey(authority, 'ed25519');
    const path = join(sshd.directory, 'certified');
    await generateKey(path, 'ed25519');
    await exec('ssh-keygen', ['-q', '-s', authority, '-I', 'test', '-n', userInfo().username, `${path}.pub`]);
    const error = await refusal(sshd.target({ identityFiles: [path] }));
    expect(error).toMatchObject({ code: 'AUTH_CERTIFICATE_UNSUPPORTED', evidence: `${path}-cert.pub` });
  });
});

describe('an agent', () => {
  let agent: ChildProcess;
  let socket: string;

  beforeAll(async () => {
    socket = join(sshd.directory, 'agent');
    agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: ['ignore', 'pipe', 'ignore'] });
    await once(agent.stdout!, 'data');
  });

  afterAll(async () => {
    agent.kill();
    await once(agent, 'exit');
  });

  const add = (path: string): Promise<unknown> => exec('ssh-add', ['-q', path], { env: { ...process.env, SSH_AUTH_SOCK: socket } });
  const clear = (): Promise<unknown> => exec('ssh-add', ['-q', '-D'], { env: { ...process.env, SSH_AUTH_SOCK: socket } });

  afterEach(clear);

  test.each(['ed25519', 'ecdsa', 'rsa'])('signs with a key of type %s', async (type) => {
    await add(await admittedKey(`agent_${type}`, type));
    await works(sshd.target({ identityFiles: [], agent: true, agentSocket: socket }));
  });

  test('signs for a key file that it holds, so that no passphrase is asked for', async () => {
    const path = await admittedKey('agent_encrypted', 'ed25519');
    await add(path);
    await exec('ssh-keygen', ['-q', '-p', '-N', 'open sesame', '-f', path]);
    await works(sshd.target({ identityFiles: [path], agent: false, agentSocket: socket }), { prompts: person(() => undefined) });
  });

  test('signs for a public key file whose private part only it has', async () => {
    const path = await admittedKey('agent_only', 'ed25519');
    await add(path);
    await rm(path);
    await works(sshd.target({ identityFiles: [`${path}.pub`], agentSocket: socket }));
    await works(sshd.target({ identityFiles: [path], agentSocket: socket }));
  });

  test('does not make a server count many keys before the one that was named', async () => {
    for (let i = 0; i < 7; i++) {
      const path = join(sshd.directory, `many_${i}`);
      await generateKey(path, 'ed25519');
      await add(path);
    }
    await works(sshd.target({ agent: true, agentSocket: socket }));
    const error = await refusal(sshd.target({ identityFiles: [], agent: true, agentSocket: socket }));
    expect(error).toMatchObject({ code: 'AUTH_REFUSED' });
  });

  test('that does not answer is passed over', async () => {
    await works(sshd.target({ agent: true, agentSocket: join(sshd.directory, 'nobody') }));
  });
});

describe.each(['password', 'keyboard-interactive'] as const)('a %s login', (method) => {
  test('asks once in a run, and only after the key was refused', async () => {
    const server = await serverWith({ methods: [method], password: 'hunter2' });
    const prompts = person(() => 'hunter2');
    await works(server.target(), { prompts });
    await works(server.target(), { prompts });
    expect(prompts.questions).toEqual([{ kind: 'password', subject: 'admin@host-1', host: 'host-1' }]);
  });

  test('with a wrong password is refused after one try', async () => {
    const server = await serverWith({ methods: ['password', 'keyboard-interactive'], password: 'hunter2' });
    const error = await refusal(server.target(), { prompts: person(() => 'wrong') });
    expect(error).toMatchObject({ code: 'AUTH_REFUSED' });
    expect(error.message).toContain('the password was refused');
    expect(error.message).not.toContain('wrong');
    expect(server.credentials).toEqual(['password wrong']);
  });

  test('is not tried when nobody can be asked', async () => {
    const server = await serverWith({ methods: [method], password: 'hunter2' });
    expect(await refusal(server.target())).toMatchObject({ code: 'AUTH_REFUSED' });
    expect(server.credentials).toEqual(method === 'password' ? [] : ['keyboard-interactive ']);
  });

  test('follows the key where the server wants both', async () => {
    const server = await serverWith({ methods: ['publickey', method], all: true, password: 'hunter2' });
    await works(server.target(), { prompts: person(() => 'hunter2') });
    expect(server.credentials).toEqual(['publickey ssh-ed25519', `${method} hunter2`]);
  });
});

describe('a host that cannot be reached', () => {
  test('because nothing listens is told at once', async () => {
    const error = await refusal(sshd.target({ port: await freePort() }));
    expect(error).toMatchObject({ code: 'REMOTE_UNREACHABLE', category: 'unreachable', hint: expect.stringContaining('Nothing listens') });
  });

  test('because its name does not resolve', async () => {
    expect(await refusal(sshd.target({ address: 'no-such-host.invalid' }))).toMatchObject({ code: 'REMOTE_UNREACHABLE' });
  });

  test('because the login is interrupted', async () => {
    const stop = new AbortController();
    stop.abort();
    expect(await refusal(sshd.target(), { signal: stop.signal })).toMatchObject({ code: 'ABORTED', category: 'aborted' });
  });
});
