import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { $ } from 'zx';
import { group } from '../measure.mjs';

const quiet = $({ quiet: true });
/** What a host has for itself. All of it is in memory: real hosts do not share one disk. /tmp is last, because it hides the others. */
const own = { run: '/run', srv: '/srv', lib: '/var/lib', opt: '/opt', root: '/root', tmp: '/tmp' };

/**
 * Hosts on this machine: one OpenSSH server for all, an address of 127.10.0.0/16 for each, and for each a mount namespace with directories of its
 * own, which every command that is sent to its address enters.
 */
export async function startHosts(count, work) {
  const addresses = Array.from({ length: count }, (_, i) => `127.10.${(i + 1) >> 8}.${(i + 1) & 255}`);
  const disk = join(work, 'hosts');
  const unmount = () => quiet`umount -R ${disk}`;
  const server = await makeNamespaces(disk, addresses)
    .then(() => startServer(work, { addresses, disk }))
    .catch(async (error) => {
      await unmount().nothrow();
      throw error;
    });
  return {
    ...server,
    addresses,
    text: (address, path) => readFileSync(join(disk, address, path), 'utf8'),
    /** As if nobody had ever been there. */
    clean: () => quiet`find ${disk} -mindepth 3 -delete`,
    async stop() {
      await server.stop();
      await unmount();
    },
  };
}

async function makeNamespaces(disk, addresses) {
  mkdirSync(disk, { recursive: true });
  const mounts = Object.entries(own).map(([name, path]) => `mount --bind "$0/${name}" ${path}`);
  const script = `
mount -t tmpfs -o mode=0755 tmpfs "$1"
mount --make-private "$1"
cd "$1"
while read -r address; do
  mkdir "$address"
  (cd "$address" && mkdir ${Object.keys(own).join(' ')} && : >namespace)
  unshare --mount="$1/$address/namespace" --propagation private sh -ec '${mounts.join('; ')}' "$1/$address"
done`;
  await $({ quiet: true, input: `${addresses.join('\n')}\n` })`sh -ec ${script} sh ${disk}`;
}

async function startServer(work, { addresses, disk }) {
  const file = (name) => join(work, name);
  const port = await freePort();
  for (const name of ['id', 'host']) await quiet`ssh-keygen -q -t ed25519 -N ${''} -C slipway-bench -f ${file(name)}`;
  const hostKey = readFileSync(file('host.pub'), 'utf8').trim();
  writeFileSync(file('known_hosts'), addresses.map((address) => `[${address}]:${port} ${hostKey}\n`).join(''));
  const enter = `#!/bin/sh\nset -- $SSH_CONNECTION\nexec nsenter --mount="${disk}/$3/namespace" /bin/sh -c "$SSH_ORIGINAL_COMMAND"\n`;
  writeFileSync(file('enter'), enter, { mode: 0o755 });
  const config = [
    `ListenAddress 0.0.0.0:${port}`,
    // It listens everywhere, because it must on many addresses; it lets in only this machine.
    'AllowUsers root@127.0.0.0/8',
    `HostKey ${file('host')}`,
    `AuthorizedKeysFile ${file('id.pub')}`,
    `PidFile ${file('sshd.pid')}`,
    `ForceCommand ${file('enter')}`,
    // Else bash would read this machine's ~/.bashrc before every command; the hosts have none.
    'SetEnv SHLVL=1',
    'Subsystem sftp /usr/lib/openssh/sftp-server',
    'StrictModes no',
    'PermitRootLogin yes',
    'PasswordAuthentication no',
    'KbdInteractiveAuthentication no',
    // What all clients know. OpenSSH's own first choice costs each ssh 0.2 s of processor time, and the libraries of the other tools do not know it.
    'KexAlgorithms curve25519-sha256,curve25519-sha256@libssh.org',
    'MaxStartups 10000',
    'LoginGraceTime 600',
    '',
  ];
  writeFileSync(file('sshd_config'), config.join('\n'));
  mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
  const cpu = group('hosts');
  const child = spawn('sh', ['-c', cpu.enter, 'sh', '/usr/sbin/sshd', '-D', '-e', '-f', file('sshd_config')], { stdio: 'ignore' });
  await answering(port, child);
  return {
    port,
    identityFile: file('id'),
    knownHosts: file('known_hosts'),
    cpuSeconds: cpu.cpuSeconds,
    async stop() {
      if (child.exitCode === null) {
        child.kill();
        await once(child, 'exit');
      }
      await cpu.end();
    },
  };
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

async function answering(port, child) {
  for (;;) {
    if (child.exitCode !== null) throw new Error(`sshd ended with code ${child.exitCode}`);
    const socket = connect(port, '127.0.0.1');
    const answered = await Promise.race([once(socket, 'data'), once(socket, 'error')]).then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (answered) return;
    await delay(50);
  }
}
