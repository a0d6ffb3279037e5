import { createHash } from 'node:crypto';
import { chmod, copyFile, mkdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { SlipwayError } from '../base/errors.ts';
import { clusterFile } from './layout.ts';
import { labRoot } from './paths.ts';
import { writeRecord } from './record.ts';
import type { LabRecord } from './record.ts';

const names = ['cluster.yaml', 'known_hosts', 'id_ed25519', 'id_ed25519.pub'];

/** LAB_FILE_EXISTS when writing the lab's files would overwrite what somebody else wrote. */
export async function refuseForeignFiles(directory: string): Promise<void> {
  const there = names.find((name) => existsSync(join(directory, name)));
  if (there === undefined) return;
  throw new SlipwayError(`${there} exists in ${directory}`, {
    code: 'LAB_FILE_EXISTS',
    category: 'usage',
    where: { file: join(directory, there) },
    hint: 'The lab overwrites no file that it did not write: choose another directory.',
  });
}

/** Writes the cluster file with all that it refers to, and returns what was written as name and sha256. The record says so before a file is there. */
export async function writeFiles(record: LabRecord): Promise<Record<string, string>> {
  const ssh = join(labRoot(record.name), 'ssh');
  const made = join(ssh, 'cluster.yaml');
  await writeFile(made, clusterFile(record));
  const files: Record<string, string> = {};
  for (const name of names) files[name] = sha256(await readFile(join(ssh, name)));
  await writeRecord({ ...record, files });
  await mkdir(record.directory, { recursive: true });
  for (const name of names) await copyFile(join(ssh, name), join(record.directory, name));
  await chmod(join(record.directory, 'id_ed25519'), 0o600);
  return files;
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

async function digest(file: string): Promise<string | undefined> {
  try {
    return createHash('sha256')
      .update(await readFile(file))
      .digest('hex');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
