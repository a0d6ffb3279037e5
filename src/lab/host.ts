import { randomBytes } from 'node:crypto';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, open, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { SlipwayError } from '../base/errors.ts';
import { cgroups, destroyGroup, groupName, processesIn } from './cgroups.ts';
import { lastLines, run } from './command.ts';
import { resolvConf } from './network.ts';
import { hostRoot } from './paths.ts';
import type { LabHostRecord, LabRecord } from './record.ts';
import { supervisorScript } from './supervisor.ts';

/** Makes the disk of a host: an upper layer with its identity, and its own /var. Returns its lines for known_hosts. */
export async function makeDisk(
  lab: LabRecord,
  host: LabHostRecord,
  options: { publicKey: string; sudoPassword?: string | undefined },
): Promise<string[]> {
  const directory = hostRoot(lab.name, host.name);
  const upper = join(directory, 'upper');
  await mkdir(join(upper, 'etc/ssh'), { recursive: true });
  await mkdir(join(upper, 'etc/systemd/network'), { recursive: true });
  await mkdir(join(upper, 'root/.ssh'), { recursive: true, mode: 0o700 });
  for (const name of ['root', 'work']) await mkdir(join(directory, name), { recursive: true });
  const files: Record<string, string> = {
    'etc/hostname': `${host.name}\n`,
    'etc/hosts': `127.0.0.1\tlocalhost\n127.0.1.1\t${host.name}\n::1\tlocalhost ip6-localhost ip6-loopback\n`,
    'etc/machine-id': `${randomBytes(16).toString('hex')}\n`,
    'etc/resolv.conf': lab.offline ? '' : await resolvConf(),
    'etc/systemd/network/10-host0.network': `[Match]\nName=host0\n\n[Network]\nAddress=${host.address}/24\nGateway=${lab.gateway}\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n`,
    'root/.ssh/authorized_keys': options.publicKey,
  };
  for (const [path, text] of Object.entries(files)) await writeFile(join(upper, path), text);
  await run('chmod', ['0700', join(upper, 'root'), join(upper, 'root/.ssh')]);
  await Promise.all([
    run('cp', ['-a', '--reflink=auto', join(host.image, 'var'), join(directory, 'var')]),
    run('ssh-keygen', ['-q', '-A', '-f', upper]),
  ]);
  if (lab.user !== 'root') await makeUser(lab, host, options);
  const keys = await Promise.all(
    ['rsa', 'ecdsa', 'ed25519'].map((type) => readFile(join(upper, `etc/ssh/ssh_host_${type}_key.pub`), 'utf8')),
  );
  return keys.map((key) => `${host.address} ${key.split(' ').slice(0, 2).join(' ').trim()}`);
}

/** A user who may log in with the lab's key and use sudo: with the password, or without when there is none. */
async function makeUser(
  lab: LabRecord,
  host: LabHostRecord,
  options: { publicKey: string; sudoPassword?: string | undefined },
): Promise<void> {
  const directory = hostRoot(lab.name, host.name);
  const script = `
    mount -t overlay overlay -o "lowerdir=$2,upperdir=$1/upper,workdir=$1/work" "$1/root"
    mount --bind "$1/var" "$1/root/var"
    chroot "$1/root" useradd --create-home --shell /bin/bash --groups sudo "$3"
    home="$1/root/home/$3"
    install -d -m 0700 "$home/.ssh"
    cp "$1/root/root/.ssh/authorized_keys" "$home/.ssh/authorized_keys"
    chroot "$1/root" chown -R "$3:" "/home/$3/.ssh"
    if [ "$4" = password ]; then chroot "$1/root" chpasswd; else echo "$3 ALL=(ALL:ALL) NOPASSWD: ALL" > "$1/root/etc/sudoers.d/$3"; chmod 0440 "$1/root/etc/sudoers.d/$3"; fi`;
  const { sudoPassword } = options;
  const args = [directory, host.image, lab.user, sudoPassword === undefined ? 'none' : 'password'];
  await run('unshare', ['--mount', '--propagation', 'private', 'sh', '-euc', script, 'user', ...args], {
    input: sudoPassword === undefined ? undefined : `${lab.user}:${sudoPassword}\n`,
  });
}

/** Switches a host on; nothing to do when it is. The machine keeps it running after this process has ended. */
export async function switchOn(lab: LabRecord, host: LabHostRecord): Promise<void> {
  if (await isOn(lab, host)) return;
  const groups = await cgroups();
  const group = groupName(lab.name, host.name);
  await destroyGroup(groups, group);
  const directory = hostRoot(lab.name, host.name);
  const binds = ['/dev/kmsg', '/dev/fuse', '/lib/modules'].filter((path) => existsSync(path));
  const script = join(directory, 'supervisor.sh');
  await writeFile(
    script,
    supervisorScript({
      ...groups,
      group,
      image: host.image,
      directory,
      machine: host.machine,
      hostname: host.name,
      bridge: lab.bridge,
      binds,
    }),
  );
  const log = await open(join(directory, 'console.log'), 'w');
  try {
    const child = spawn('unshare', ['--mount', '--propagation', 'private', 'sh', script], {
      cwd: '/',
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
      env: { PATH: process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin' },
    });
    child.unref();
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', reject);
    });
  } finally {
    await log.close();
  }
}

/** Takes the power away: nothing in the host gets to say goodbye. */
export async function switchOff(lab: LabRecord, host: LabHostRecord): Promise<void> {
  await rm(join(hostRoot(lab.name, host.name), 'supervisor.sh'), { force: true });
  await destroyGroup(await cgroups(), groupName(lab.name, host.name));
}

export async function isOn(lab: LabRecord, host: LabHostRecord): Promise<boolean> {
  return (await processesIn(await cgroups(), groupName(lab.name, host.name))).length > 0;
}

/** Returns when sshd has sent its greeting; LAB_HOST_SILENT after a minute, or at once when the host's processes have ended. */
export async function waitForSsh(lab: LabRecord, host: LabHostRecord): Promise<void> {
  const deadline = Date.now() + 60_000;
  let seen = false;
  while (!(await greets(host.address))) {
    const on = await isOn(lab, host);
    if (Date.now() > deadline || (seen && !on)) {
      const console_ = await readFile(join(hostRoot(lab.name, host.name), 'console.log'), 'utf8').catch(() => '');
      throw new SlipwayError(seen && !on ? `host ${host.name} ended while it started` : `sshd on host ${host.name} does not answer`, {
        code: 'LAB_HOST_SILENT',
        category: 'failed',
        where: { host: host.name },
        evidence: lastLines(console_, 20),
        hint: 'These are the last lines of its console; `slipway lab down` removes the lab.',
      });
    }
    seen ||= on;
    await delay(50);
  }
}

async function greets(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port: 22, timeout: 1000 });
    const finish = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('data', (data) => {
      finish(data.toString().startsWith('SSH-'));
    });
    socket.once('error', () => {
      finish(false);
    });
    socket.once('timeout', () => {
      finish(false);
    });
    socket.once('close', () => {
      finish(false);
    });
  });
}
