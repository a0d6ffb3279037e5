import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { SlipwayError } from '../base/errors.ts';
import { snapshotRoot, snapshotsRoot } from './paths.ts';
import type { LabRecord } from './record.ts';

/** A stopped lab that was kept: below its directory `hosts/NAME/{upper,var}`, `ssh` (the lab's keys) and `files` (of the lab's directory). */
export interface SnapshotRecord {
  format: 1;
  label: string;
  createdAt: string;
  /** The lab as it was. */
  lab: LabRecord;
  /** Names below `files`. */
  files: readonly string[];
}

export const snapshotFile = (directory: string): string => join(directory, 'snapshot.json');

export async function readSnapshot(label: string): Promise<SnapshotRecord | undefined> {
  try {
    return JSON.parse(await readFile(snapshotFile(snapshotRoot(label)), 'utf8')) as SnapshotRecord;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** All snapshots of this machine, by label. */
export async function readSnapshots(): Promise<SnapshotRecord[]> {
  const names = await readdir(snapshotsRoot()).catch(() => []);
  const labels = names.filter((name) => !name.includes('.')).sort();
  const records = await Promise.all(labels.map((label) => readSnapshot(label)));
  return records.filter((record) => record !== undefined);
}

/** The snapshot that must exist; LAB_SNAPSHOT_UNKNOWN otherwise. */
export async function requireSnapshot(label: string): Promise<SnapshotRecord> {
  const record = await readSnapshot(label);
  if (record !== undefined) return record;
  const labels = (await readSnapshots()).map((each) => each.label);
  throw new SlipwayError(`there is no snapshot "${label}" on this machine`, {
    code: 'LAB_SNAPSHOT_UNKNOWN',
    category: 'usage',
    hint: labels.length === 0 ? 'Make one: `slipway lab snapshot LAB --as LABEL`.' : `There are: ${labels.join(', ')}.`,
  });
}
