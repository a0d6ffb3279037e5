import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Target } from '../../src/remote/target.ts';
import { targetOf } from './target.ts';

const exec = promisify(execFile);

export interface Sshd {
  port: number;
  directory: string;
  /** The private key that may log in. */
  identityFile: string;
  /** Lists the server's keys. */
  knownHosts: string;
  /** The server's public keys by type (ed25519, ecdsa, rsa). */
  hostKeys: Readonly<Record<string, string>>;
  /** A target that connects; fields can be replaced. */
  target(changes?: Partial<Target>): Target;
  /** What sshd logged so far. */
  log(): string;
  stop(): Promise<void>;
}

/** A real OpenSSH server on a loopback port with keys of its own; lines of `config` come first, so they win. Rejects when sshd is not installed. */
export async function startSshd(
  config: readonly string[] = [],
  hostKeyTypes: readonly string[] = ['ed25519', 'ecdsa', 'rsa'],
): Promise<Sshd> {
  const binary = ['/usr/sbin/sshd', '/usr/local/sbin/sshd'].find((path) => existsSync(path));
  if (binary === undefined) throw new Error('these tests need OpenSSH: install openssh-server');
  const directory = await mkdtemp(join(tmpdir(), 'slipway-sshd-'));
  await chmod(directory, 0o700);
  const identityFile = join(directory, 'id');
  await generateKey(identityFile, 'ed25519');
  await writeFile(join(directory, 'authorized_keys'), await readFile(`${identityFile}.pub`), { mode: 0o600 });
  const hostKeys: Record<string, string> = {};
  for (const type of hostKeyTypes) {
    await generateKey(join(directory, `host_${type}`), type);
    hostKeys[type] = (await readFile(join(directory, `host_${type}.pub`), 'utf8')).trim();
  }
  const port = await freePort();
  const knownHosts = join(directory, 'known_hosts');
  await writeFile(
    knownHosts,
    Object.values(hostKeys)
      .map((key) => `[127.0.0.1]:${port} ${key}\n`)
      .join(''),
    { mode: 0o600 },
  );
  await writeFile(
    join(directory, 'sshd_config'),
    [
      ...config,
      `ListenAddress 127.0.0.1:${port}`,
      ...hostKeyTypes.map((type) => `HostKey ${join(directory, `host_${type}`)}`),
      `AuthorizedKeysFile ${join(directory, 'authorized_keys')}`,
      `PidFile ${join(directory, 'pid')}`,
      'StrictModes no',
      'PermitRootLogin yes',
      'PasswordAuthentication no',
      'KbdInteractiveAuthentication no',
      'LogLevel VERBOSE',
      '',
    ].join('\n'),
  );
  if (userInfo().uid === 0) await mkdir('/run/sshd', { recursive: true, mode: 0o755 });
  const child = spawn(binary, ['-D', '-e', '-f', join(directory, 'sshd_config')], { stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  child.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()));
  await answering(port, child, () => log);

  return {
    port,
    directory,
    identityFile,
    knownHosts,
    hostKeys,
    target: (changes = {}) => ({ ...targetOf({ port, user: userInfo().username, identityFile, knownHosts }), ...changes }),
    log: () => log,
    stop: async () => {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill();
        await once(child, 'exit');
      }
      // Sessions of a lost connection live on and hold the other end.
      child.stderr.destroy();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Writes `path` and `path.pub`. */
export async function generateKey(path: string, type: string, passphrase = ''): Promise<void> {
  await exec('ssh-keygen', ['-q', '-t', type, '-N', passphrase, '-C', 'slipway-test', '-f', path]);
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

async function answering(port: number, child: ChildProcess, log: () => string): Promise<void> {
  for (;;) {
    if (child.exitCode !== null) throw new Error(`sshd ended with code ${child.exitCode}: ${log()}`);
    const socket = connect(port, '127.0.0.1');
    const answered = await new Promise<boolean>((resolve) => {
      socket.once('data', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
    socket.destroy();
    if (answered) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
