import { existsSync } from 'node:fs';
import { readFile, readdir, rmdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { SlipwayError } from '../base/errors.ts';

/** How this machine groups processes; it decides how a host is started, paused and stopped. */
export interface Cgroups {
  version: 1 | 2;
  /** Mount points of every hierarchy: one for v2, each controller and named hierarchy for v1. */
  hierarchies: readonly string[];
  /** systemd owns the only hierarchy, so a host must be a unit of it with Delegate=yes; otherwise we make its groups ourselves. */
  units: boolean;
}

export async function cgroups(): Promise<Cgroups> {
  return parseCgroupMounts(await readFile('/proc/self/mounts', 'utf8'), { systemd: existsSync('/run/systemd/system') });
}

/** From /proc/self/mounts. A v2 hierarchy beside v1 ones (hybrid) is one of the hierarchies of v1. */
export function parseCgroupMounts(mounts: string, machine: { systemd: boolean }): Cgroups {
  const found = mounts.split('\n').flatMap((line) => {
    const [, directory = '', type = ''] = line.split(' ');
    return (type === 'cgroup' || type === 'cgroup2') && directory.startsWith('/sys/fs/cgroup') ? [{ directory, type }] : [];
  });
  const version = found.some((f) => f.type === 'cgroup') ? 1 : 2;
  return { version, hierarchies: [...new Set(found.map((f) => f.directory))].sort(), units: version === 2 && machine.systemd };
}

/** The name of a host's unit, where hosts are units. */
export function unitName(lab: string, host: string): string {
  return `slipway-lab.${lab}.${host}.service`;
}

/** A host's group, relative to every hierarchy. */
export function groupOf(groups: Cgroups, lab: string, host: string): string {
  return groups.units ? `system.slice/${unitName(lab, host)}` : `slipway-lab.${lab}.${host}`;
}

/** Every process in the group and below, in all hierarchies. */
export async function processesIn(groups: Cgroups, group: string): Promise<number[]> {
  const pids = new Set<number>();
  for (const hierarchy of groups.hierarchies) {
    for (const directory of await tree(join(hierarchy, group))) {
      const text = await readFile(join(directory, 'cgroup.procs'), 'utf8').catch(() => '');
      for (const pid of text.split('\n')) if (pid !== '' && pid !== '0') pids.add(Number(pid));
    }
  }
  return [...pids];
}

/** Kills every process of the group and removes it from all hierarchies; nothing to do is fine. LAB_HOST_STUCK when some do not die within 30 s. */
export async function destroyGroup(groups: Cgroups, group: string): Promise<void> {
  await freeze(groups, group, false);
  const deadline = Date.now() + 30_000;
  for (;;) {
    const pids = await processesIn(groups, group);
    if (pids.length === 0) break;
    for (const pid of pids) kill(pid);
    if (Date.now() > deadline) {
      throw new SlipwayError(`processes of ${group} do not end: ${pids.join(', ')}`, {
        code: 'LAB_HOST_STUCK',
        category: 'failed',
        hint: 'They hang in the kernel, most likely on a disk or a mount; see /proc/PID/stack.',
      });
    }
    await delay(10);
  }
  for (const hierarchy of groups.hierarchies) {
    for (const directory of (await tree(join(hierarchy, group))).reverse()) await removeGroup(directory, deadline);
  }
}

/** Stops or continues everything in the group at once; returns when the kernel says so. */
export async function freeze(groups: Cgroups, group: string, frozen: boolean): Promise<void> {
  const file = freezerFile(groups, group);
  if (!existsSync(file)) return;
  await writeFile(file, groups.version === 1 ? (frozen ? 'FROZEN' : 'THAWED') : frozen ? '1' : '0');
  while (existsSync(file) && (await isFrozen(groups, group)) !== frozen) await delay(10);
}

export async function isFrozen(groups: Cgroups, group: string): Promise<boolean> {
  const file = freezerFile(groups, group);
  if (groups.version === 1) return (await readFile(file, 'utf8').catch(() => '')).trim() === 'FROZEN';
  return /^frozen 1$/m.test(await readFile(join(dirname(file), 'cgroup.events'), 'utf8').catch(() => ''));
}

function freezerFile(groups: Cgroups, group: string): string {
  if (groups.version === 1) return join('/sys/fs/cgroup/freezer', group, 'machine', 'freezer.state');
  return join('/sys/fs/cgroup', group, groups.units ? '' : 'machine', 'cgroup.freeze');
}

/** Bytes of anonymous memory in the group; undefined where memory is not accounted. */
export async function memoryOf(groups: Cgroups, group: string): Promise<number | undefined> {
  const directory = join(groups.version === 1 ? '/sys/fs/cgroup/memory' : '/sys/fs/cgroup', group);
  const text = await readFile(join(directory, 'memory.stat'), 'utf8').catch(() => '');
  const found = /^(?:total_rss|anon) (\d+)$/m.exec(text);
  return found === null ? undefined : Number(found[1]);
}

async function removeGroup(directory: string, deadline: number): Promise<void> {
  for (;;) {
    try {
      await rmdir(directory);
      return;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT') return;
      // A killed process leaves its group a moment after it is gone from the list.
      if (code !== 'EBUSY' || Date.now() > deadline) throw error;
      await delay(10);
    }
  }
}

/** The directory and all below, parents first; empty when it does not exist. */
async function tree(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => undefined);
  if (entries === undefined) return [];
  const below = await Promise.all(entries.filter((entry) => entry.isDirectory()).map((entry) => tree(join(directory, entry.name))));
  return [directory, ...below.flat()];
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
