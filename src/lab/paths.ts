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

/** Where snapshots lie: their own directory each, beside the labs. */
export function snapshotsRoot(): string {
  return join(stateRoot(), '.snapshots');
}

/** Held while a snapshot is made. Taken after a lab's own lock. */
export function snapshotLock(label: string): string {
  return join(stateRoot(), `.snapshot.${label}.lock`);
}

export function snapshotRoot(label: string): string {
  return join(snapshotsRoot(), label);
}

/** Root file systems made once and shared, read-only, by all hosts. */
export function imageRoot(): string {
  return join(cacheRoot(), 'images');
}

/** Remembers whether KVM works on this machine. */
export function kvmFile(): string {
  return join(cacheRoot(), 'kvm');
}

function cacheRoot(): string {
  const xdg = process.env['XDG_CACHE_HOME'];
  return join(xdg === undefined || xdg === '' ? join(homedir(), '.cache') : xdg, 'slipway', 'lab');
}
