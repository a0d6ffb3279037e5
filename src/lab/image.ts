import { createHash } from 'node:crypto';
import { chmod, mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SlipwayError } from '../base/errors.ts';
import { run } from './command.ts';
import { removeTree } from './fs.ts';
import { unlessBusy, withLock } from './lock.ts';
import { imageRoot } from './paths.ts';
import { debianSources, parseAptOptions, rewriteSources } from './sources.ts';

/** Raised when what `finish` does changes, so that old images are not taken for new ones. */
const recipe = 5;

const partialSuffix = '.partial';

/** What an image is for: containers share the machine's kernel, virtual machines bring one. */
export interface ImageKind {
  release: string;
  vm?: boolean | undefined;
}

/** What a server of a small provider has; nothing that Kubernetes asks for beyond that. */
const packages = [
  ...['systemd', 'systemd-sysv', 'dbus', 'openssh-server', 'sudo', 'iproute2', 'iptables'],
  ...['ca-certificates', 'procps', 'kmod', 'zstd'],
];
/** A kernel; and what an installation would bring, because unpacking it takes an emulated processor a minute and more. */
const vmPackages = ['linux-image-amd64', 'udev', 'haproxy', 'conntrack', 'nftables'];

/**
 * The directory of the root file system for a Debian release, made on first use from the mirror that this machine's own apt uses.
 * It is shared by hosts as the lower layer of their overlay and never written again.
 */
export async function image({ release, vm = false }: ImageKind, onProgress: (text: string) => void): Promise<string> {
  const sources = rewriteSources(await debianSources(join(imageRoot(), 'sources.json')), release);
  const include = vm ? [...packages, ...vmPackages] : packages;
  const what = vm ? `${release} for virtual machines` : release;
  const key = createHash('sha256')
    .update(JSON.stringify({ recipe, packages: include, release, sources }))
    .digest('hex')
    .slice(0, 12);
  const directory = join(imageRoot(), `${release}${vm ? '-vm' : ''}-${key}`);
  if (await exists(directory)) return directory;
  const partial = `${directory}${partialSuffix}`;
  return withLock(`${directory}.lock`, { wait: true, what: `the image of ${what}` }, async () => {
    if (await exists(directory)) return directory;
    onProgress(`making the image of Debian ${what} (once, about a minute)`);
    try {
      await removeTree(partial);
      await bootstrap({ release, sources, include }, partial);
      await finish(partial);
      await rename(partial, directory);
    } finally {
      await removeTree(partial);
    }
    return directory;
  });
}

/** Removes what a killed run left of images; those that another run is making stay. */
export async function removePartialImages(): Promise<void> {
  const names = (await exists(imageRoot())) ? await readdir(imageRoot()) : [];
  const unfinished = names.flatMap((name) => /^(.+)\.(?:partial|lock)$/.exec(name)?.[1] ?? []);
  for (const name of new Set(unfinished)) {
    const directory = join(imageRoot(), name);
    await unlessBusy(`${directory}.lock`, () => removeTree(directory + partialSuffix));
  }
}

interface Bootstrap {
  release: string;
  sources: readonly string[];
  include: readonly string[];
}

async function bootstrap({ release, sources, include }: Bootstrap, directory: string): Promise<void> {
  const inherited = parseAptOptions(await run('apt-config', ['dump']));
  const args = ['--mode=root', '--variant=minbase', '--skip=cleanup/apt/lists'];
  const options = ['Acquire::GzipIndexes "true"', 'Acquire::Languages "none"', ...inherited].map((option) => `--aptopt=${option}`);
  try {
    await run('mmdebstrap', [...args, ...options, `--include=${include.join(',')}`, release, directory, ...sources], { bound: true });
  } catch (cause) {
    throw new SlipwayError(`the image of Debian ${release} could not be made`, {
      code: 'LAB_IMAGE_FAILED',
      category: 'failed',
      evidence: cause instanceof SlipwayError ? cause.evidence : undefined,
      hint: 'Its packages come from the Debian mirror in the apt sources of this machine: see whether `apt-get update` works here.',
      cause,
    });
  }
}

/** From a root file system to that of a host: no identity of its own, an address from systemd-networkd, no timers of apt that take locks at random times. */
async function finish(root: string): Promise<void> {
  await chmod(root, 0o755);
  const units = join(root, 'etc/systemd/system');
  await writeFile(join(units, 'lab-mounts.service'), mountsUnit);
  await mkdir(join(root, 'usr/lib/slipway-lab'), { recursive: true });
  await writeFile(join(root, 'usr/lib/slipway-lab/mounts'), mountsScript, { mode: 0o755 });
  // Every installed Debian has it; without it each login is an error in the journal.
  await writeFile(join(root, 'etc/default/locale'), 'LANG=C.UTF-8\n');
  await rm(join(root, 'etc/machine-id'), { force: true });
  await rm(join(root, 'etc/resolv.conf'), { force: true });
  const script = [
    'rm -f "$1"/etc/ssh/ssh_host_*',
    'systemctl --root="$1" --quiet enable lab-mounts.service systemd-networkd.service ssh.service',
    'systemctl --root="$1" --quiet disable apt-daily.timer apt-daily-upgrade.timer',
    'systemctl --root="$1" --quiet mask systemd-networkd-wait-online.service console-getty.service',
    '[ ! -e "$1"/usr/lib/systemd/system/haproxy.service ] || systemctl --root="$1" --quiet disable haproxy.service',
    'install -d -m 0700 "$1"/root/.ssh',
    // Otherwise the first boot sees a newer /usr and rebuilds caches.
    'touch "$1"/usr "$1"/etc/.updated "$1"/var/.updated',
  ].join('\n');
  await run('sh', ['-euc', script, 'finish', root]);
}

/**
 * Repairs what a container takes from a host: cgroup v1 controllers are mounted read-only by nspawn, and kernel settings outside of
 * net belong to the machine. The kubelet and an administrator's sysctl write a few of those; each host gets its own
 * copy of them, so that no host changes the machine or another host.
 */
const mountsScript = `#!/bin/sh
set -eu
awk '$3 == "cgroup" { print $2 }' /proc/self/mounts | while read -r directory; do
  mount -o remount,bind,rw "$directory"
done
# Without this every mount below /proc/sys appears twice, and the kubelet reads all of them often.
mount --make-rprivate /proc
mkdir -p /run/slipway-lab/sysctl
for key in \\
  vm/overcommit_memory vm/overcommit_ratio vm/panic_on_oom vm/max_map_count vm/swappiness vm/min_free_kbytes \\
  kernel/panic kernel/panic_on_oops kernel/pid_max kernel/threads-max kernel/keys/root_maxkeys kernel/keys/root_maxbytes \\
  kernel/sysrq kernel/core_pattern kernel/core_uses_pid kernel/printk \\
  fs/file-max fs/nr_open fs/aio-max-nr fs/protected_fifos fs/protected_hardlinks fs/protected_regular fs/protected_symlinks \\
  fs/inotify/max_user_instances fs/inotify/max_user_watches fs/inotify/max_queued_events
do
  [ -e "/proc/sys/$key" ] || continue
  copy="/run/slipway-lab/sysctl/$(echo "$key" | tr / .)"
  cat "/proc/sys/$key" > "$copy"
  mount --bind "$copy" "/proc/sys/$key"
done
# A fresh host has the kernel's default; what the lab raised it to on the machine is what counts.
echo 128 > /run/slipway-lab/sysctl/fs.inotify.max_user_instances
`;

const mountsUnit = `[Unit]
Description=What a container takes from a host
DefaultDependencies=no
ConditionVirtualization=container
Before=sysinit.target systemd-sysctl.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/lib/slipway-lab/mounts

[Install]
WantedBy=sysinit.target
`;

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
