import { createHash } from 'node:crypto';
import { cp, mkdir, readdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { SlipwayError } from '../base/errors.ts';
import { clusterFile } from './layout.ts';
import { labRoot } from './paths.ts';
import { writeRecord } from './record.ts';
import type { LabRecord } from './record.ts';

const names = ['cluster.yaml', 'known_hosts', 'id_ed25519', 'id_ed25519.pub'];
/** What runs of Slipway keep beside the cluster file: the lock file and state directories. */
const ofRuns = /^(cluster\.lock|.+\.state)$/;

/** LAB_FILE_EXISTS when writing the lab's files would overwrite what somebody else wrote. */
export async function refuseForeignFiles(directory: string, files: readonly string[] = names): Promise<void> {
  const there = files.find((name) => existsSync(join(directory, name)));
  if (there === undefined) return;
  throw new SlipwayError(`${there} exists in ${directory}`, {
    code: 'LAB_FILE_EXISTS',
    category: 'usage',
    where: { file: join(directory, there) },
    hint: 'The lab overwrites no file that it did not write: choose another directory.',
  });
}

/** Writes the cluster file with all that it refers to, and returns what was written as name and sha256. */
export async function writeFiles(record: LabRecord): Promise<Record<string, string>> {
  const ssh = join(labRoot(record.name), 'ssh');
  await writeFile(join(ssh, 'cluster.yaml'), clusterFile(record));
  return copyFiles(record, ssh, names);
}

/** Copies files and directories into the lab's directory. The record says so before a file is there; directories are not the lab's to remove. */
export async function copyFiles(record: LabRecord, from: string, files: readonly string[]): Promise<Record<string, string>> {
  const written: Record<string, string> = {};
  for (const name of files) {
    const sum = await digest(join(from, name));
    if (sum !== undefined) written[name] = sum;
  }
  await writeRecord({ ...record, files: written });
  await mkdir(record.directory, { recursive: true });
  for (const name of files) await cp(join(from, name), join(record.directory, name), { recursive: true });
  return written;
}

/** The names in a lab's directory that a snapshot keeps. */
export async function keptFiles(directory: string): Promise<string[]> {
  return (await readdir(directory)).filter((name) => names.includes(name) || ofRuns.test(name));
}

/** Removes the files again, except those that were changed since; and the directory, if the lab made it and nothing else is in it. */
export async function removeFiles(record: LabRecord): Promise<void> {
  for (const [name, written] of Object.entries(record.files)) {
    const file = join(record.directory, name);
    if ((await digest(file)) === written) await rm(file, { force: true });
  }
  if (!record.directoryMade) return;
  try {
    await rmdir(record.directory);
  } catch (error) {
    if (!['ENOENT', 'ENOTEMPTY'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}

/** The sha256 of a file; undefined where there is none. */
async function digest(file: string): Promise<string | undefined> {
  try {
    return createHash('sha256')
      .update(await readFile(file))
      .digest('hex');
  } catch (error) {
    if (['ENOENT', 'EISDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}
