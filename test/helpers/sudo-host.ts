import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Target } from '../../src/remote/target.ts';
import { freePort, generateKey } from './sshd.ts';
import { targetOf } from './target.ts';

const exec = promisify(execFile);

export interface SudoUser {
  name: string;
  password: string;
  /** Fields 3 to 8 of shadow(5) after the password; the default never expires. */
  aging?: string;
}

export interface SudoHost {
  /** A target for one of the users, with become: sudo. */
  target(user: string, changes?: Partial<Target>): Target;
  stop(): Promise<void>;
}

/**
 * The real sudo and PAM of this machine with users and rules of the test's own: sshd runs in a mount namespace in which /etc/passwd,
 * /etc/shadow and /etc/sudoers are other files. The machine's own are not touched. Needs root (or sudo without a password), sshd and sudo.
 */
export async function startSudoHost(users: readonly SudoUser[], sudoers: readonly string[]): Promise<SudoHost> {
  const directory = await mkdtemp(join(tmpdir(), 'slipway-sudo-'));
  // Users other than root must be able to come in, down to their own home.
  await chmod(directory, 0o755);
  const identityFile = join(directory, 'id');
  await generateKey(identityFile, 'ed25519');
  await generateKey(join(directory, 'host'), 'ed25519');
  const port = await freePort();
  const knownHosts = join(directory, 'known_hosts');
  await writeFile(knownHosts, `[127.0.0.1]:${port} ${await readFile(join(directory, 'host.pub'), 'utf8')}`);
  await copyFile(`${identityFile}.pub`, join(directory, 'authorized_keys'));
  await chmod(join(directory, 'authorized_keys'), 0o644);

  const hashes = await Promise.all(users.map(async ({ password }) => (await exec('openssl', ['passwd', '-6', password])).stdout.trim()));
  await mkdir(join(directory, 'home'), { mode: 0o755 });
  const passwd = users.map(({ name }, i) => `${name}:x:${61000 + i}:${61000 + i}::${directory}/home:/bin/sh\n`).join('');
  const shadow = users.map(({ name, aging }, i) => `${name}:${hashes[i]!}:${aging ?? '19000:0:99999:7:::'}\n`).join('');
  await writeFile(join(directory, 'passwd'), (await readFile('/etc/passwd', 'utf8')) + passwd, { mode: 0o644 });
  await writeFile(join(directory, 'shadow.add'), shadow, { mode: 0o600 });
  await writeFile(join(directory, 'sudoers'), `${sudoers.join('\n')}\n`, { mode: 0o440 });
  await writeFile(
    join(directory, 'sshd_config'),
    [
      `ListenAddress 127.0.0.1:${port}`,
      `HostKey ${join(directory, 'host')}`,
      `AuthorizedKeysFile ${join(directory, 'authorized_keys')}`,
      `PidFile ${join(directory, 'pid')}`,
      'StrictModes no',
      'PasswordAuthentication no',
      'KbdInteractiveAuthentication no',
      '',
    ].join('\n'),
  );
  const script = `set -e
cat /etc/shadow "$1/shadow.add" > "$1/shadow" && chmod 600 "$1/shadow"
chown root:root "$1/sudoers" "$1/passwd" "$1/shadow" "$1/host"
mount --bind "$1/passwd" /etc/passwd
mount --bind "$1/shadow" /etc/shadow
mount --bind "$1/sudoers" /etc/sudoers
mount -t tmpfs none /run/sudo 2>/dev/null || true
mkdir -p /run/sshd
exec /usr/sbin/sshd -D -e -f "$1/sshd_config"`;
  const command = ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', script, 'sh', directory];
  const [program, ...args] = userInfo().uid === 0 ? command : ['sudo', '-n', ...command];
  const child = spawn(program!, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  child.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()));
  for (let up = false; !up;) {
    if (child.exitCode !== null) throw new Error(`these tests need root, sshd and sudo: ${log}`);
    up = await answers(port);
  }
  return {
    target: (user, changes = {}) => ({ ...targetOf({ port, user, identityFile, knownHosts }), become: 'sudo', ...changes }),
    async stop() {
      child.kill();
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
      child.stderr.destroy();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function answers(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  const answered = await new Promise<boolean>((resolve) => {
    socket.once('data', () => resolve(true));
    socket.once('error', () => resolve(false));
  });
  socket.destroy();
  if (!answered) await new Promise((resolve) => setTimeout(resolve, 20));
  return answered;
}
