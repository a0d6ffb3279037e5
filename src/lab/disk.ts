import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { run } from './command.ts';
import { copyDisk } from './fs.ts';
import { resolvConf } from './network.ts';
import { hostRoot } from './paths.ts';
import type { LabHostRecord, LabRecord } from './record.ts';

export interface DiskOptions {
  /** Who may log in, as a line for authorized_keys. */
  publicKey: string;
  /** What sudo asks the lab's user for; undefined: nothing. */
  sudoPassword?: string | undefined;
}

/** Bytes as mke2fs takes them; the file is sparse. */
const VM_DISK_SIZE = '12G';

/** As Debian makes them, but for the size of the RSA key: 3072 bits take longer than everything else that a host needs to start. */
const hostKeys = [['rsa', '-b', '2048'], ['ecdsa'], ['ed25519']] as const;

/**
 * Makes the disk of a host, which outlives its power: the upper layer over the image, with everything that makes it this host, and a /var of its own.
 * Returns its lines for known_hosts.
 */
export async function makeDisk(lab: LabRecord, host: LabHostRecord, options: DiskOptions): Promise<string[]> {
  const directory = hostRoot(lab.name, host.name);
  const upper = join(directory, 'upper');
  const keyFile = (type: string): string => join(upper, `etc/ssh/ssh_host_${type}_key`);
  for (const name of ['root', 'work', 'upper/etc/ssh']) await mkdir(join(directory, name), { recursive: true });
  for (const [path, text] of Object.entries(await identity(lab, host, options))) {
    await mkdir(dirname(join(upper, path)), { recursive: true });
    await writeFile(join(upper, path), text);
  }
  // A directory of the upper layer hides the mode of the image's.
  for (const [path, mode] of [
    ['.', 0o755],
    ['etc', 0o755],
    ['etc/ssh', 0o755],
    ['root', 0o700],
    ['root/.ssh', 0o700],
  ] as const)
    await chmod(join(upper, path), mode);
  await Promise.all([
    copyDisk([join(host.image, 'var')], join(directory, 'var')),
    ...hostKeys.map(([type, ...size]) =>
      run('ssh-keygen', ['-q', '-N', '', '-C', `root@${host.name}`, '-t', type, ...size, '-f', keyFile(type)], { bound: true }),
    ),
  ]);
  if (lab.user !== 'root') await makeUser(lab, host, options);
  const keys = await Promise.all(
    ['rsa', 'ecdsa', 'ed25519'].map((type) => readFile(join(upper, `etc/ssh/ssh_host_${type}_key.pub`), 'utf8')),
  );
  if (host.vm === true) await makeVmDisk(lab, host);
  return keys.map((key) => [host.address, ...key.trim().split(' ').slice(0, 2)].join(' '));
}

async function identity(lab: LabRecord, host: LabHostRecord, options: DiskOptions): Promise<Record<string, string>> {
  return {
    'etc/hostname': `${host.name}\n`,
    'etc/hosts': `127.0.0.1\tlocalhost\n127.0.1.1\t${host.name}\n::1\tlocalhost ip6-localhost ip6-loopback\n`,
    'etc/machine-id': `${randomBytes(16).toString('hex')}\n`,
    'etc/resolv.conf': lab.offline ? '' : await resolvConf(),
    ...(host.vm === true ? { 'etc/fstab': '/dev/vda / ext4 defaults 0 1\n' } : {}),
    'etc/systemd/network/10-host0.network': `[Match]
Name=${host.vm === true ? 'eth0' : 'host0'}

[Network]
Address=${host.address}/24
Gateway=${lab.gateway}
LinkLocalAddressing=no
IPv6AcceptRA=no
`,
    'root/.ssh/authorized_keys': options.publicKey,
  };
}

/** A user who may log in with the lab's key and use sudo, as on a rented server. Made by the host's own tools. */
async function makeUser(lab: LabRecord, host: LabHostRecord, options: DiskOptions): Promise<void> {
  const script = `
    chroot "$1/root" useradd --create-home --shell /bin/bash --groups sudo "$3"
    chroot "$1/root" install -d -m 0700 -o "$3" -g "$3" "/home/$3/.ssh"
    chroot "$1/root" install -m 0600 -o "$3" -g "$3" /root/.ssh/authorized_keys "/home/$3/.ssh/authorized_keys"
    if [ "$4" = password ]; then
      chroot "$1/root" chpasswd
    else
      echo "$3 ALL=(ALL:ALL) NOPASSWD: ALL" > "$1/root/etc/sudoers.d/$3"
      chmod 0440 "$1/root/etc/sudoers.d/$3"
    fi`;
  const { sudoPassword } = options;
  await withRoot(lab, host, {
    script,
    args: [lab.user, sudoPassword === undefined ? 'none' : 'password'],
    input: sudoPassword === undefined ? undefined : `${lab.user}:${sudoPassword}\n`,
  });
}

/** From the layers that the host would have as a container to the disk that it boots from. */
async function makeVmDisk(lab: LabRecord, host: LabHostRecord): Promise<void> {
  const script = `
    mke2fs -q -F -t ext4 -d "$1/root" "$1/disk.img" ${VM_DISK_SIZE}
    umount "$1/root/var" "$1/root"
    rm -rf "$1/upper" "$1/work" "$1/var" "$1/root"`;
  await withRoot(lab, host, { script });
}

interface RootScript {
  /** With the host's directory as $1, its image as $2, and then `args`. */
  script: string;
  args?: readonly string[];
  input?: string | undefined;
}

/** Runs a script with the host's file system at `root` in its directory, in a mount namespace that ends with it. */
async function withRoot(lab: LabRecord, host: LabHostRecord, { script, args = [], input }: RootScript): Promise<void> {
  const mounts = `
    mount -t overlay overlay -o "lowerdir=$2,upperdir=$1/upper,workdir=$1/work" "$1/root"
    mount --bind "$1/var" "$1/root/var"`;
  const words = [
    '--mount',
    '--propagation',
    'slave',
    'sh',
    '-euc',
    mounts + script,
    'root',
    hostRoot(lab.name, host.name),
    host.image,
    ...args,
  ];
  await run('unshare', words, { input, bound: true });
}
