import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where labs live: hosts' disks and what was made, one directory per lab. One place for the machine, as its links and rules are the machine's. */
export function stateRoot(): string {
  return '/var/lib/slipway-lab';
}

export function labRoot(name: string): string {
  return join(stateRoot(), name);
}

/** Held while a lab is made or removed. */
export function labLock(name: string): string {
  return join(stateRoot(), `.${name}.lock`);
}

/** Held while something is decided that concerns all labs: numbers, and settings of the machine. Taken after a lab's own lock. */
export function allLabsLock(): string {
  return join(stateRoot(), '.all.lock');
}

export function hostRoot(lab: string, host: string): string {
  return join(labRoot(lab), 'hosts', host);
}

/** Root file systems made once and shared, read-only, by all hosts. */
export function imageRoot(): string {
  const xdg = process.env['XDG_CACHE_HOME'];
  return join(xdg === undefined || xdg === '' ? join(homedir(), '.cache') : xdg, 'slipway', 'lab', 'images');
}
