import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stateRoot } from './paths.ts';
import { writeWhole } from './fs.ts';

/** Kernel settings that all labs share, as paths below /proc/sys, with what they must at least be. */
const wanted: readonly { key: string; value: number; forwardOnly: boolean }[] = [
  // Each kubelet and systemd takes some of them; the default of 128 ends with about seven hosts.
  { key: 'fs/inotify/max_user_instances', value: 8192, forwardOnly: false },
  { key: 'net/ipv4/ip_forward', value: 1, forwardOnly: true },
];

function file(): string {
  return join(stateRoot(), '.machine.json');
}

async function remembered(): Promise<Record<string, string>> {
  try {
    return JSON.parse(await readFile(file(), 'utf8')) as Record<string, string>;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw error;
  }
}

/** Raises what is too low, and notes before that what it was. The caller holds the lock of all labs. */
export async function raiseMachineSettings(options: { forward: boolean }): Promise<void> {
  const before = await remembered();
  for (const { key, value, forwardOnly } of wanted) {
    if (forwardOnly && !options.forward) continue;
    const now = (await readFile(`/proc/sys/${key}`, 'utf8')).trim();
    if (Number(now) >= value) continue;
    await writeWhole(file(), JSON.stringify({ [key]: now, ...before }));
    Object.assign(before, { [key]: before[key] ?? now });
    await writeFile(`/proc/sys/${key}`, String(value));
  }
}

/** Puts back what `raiseMachineSettings` changed, unless somebody changed it since. For when the last lab has gone. */
export async function restoreMachineSettings(): Promise<void> {
  const before = await remembered();
  for (const { key, value } of wanted) {
    const was = before[key];
    if (was === undefined) continue;
    if ((await readFile(`/proc/sys/${key}`, 'utf8')).trim() === String(value)) await writeFile(`/proc/sys/${key}`, was);
  }
  await rm(file(), { force: true });
}
