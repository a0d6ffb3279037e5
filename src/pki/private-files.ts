import { randomBytes } from 'node:crypto';
import { chmod, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

const temporary = /^\.[^/]+\.[0-9a-f]{16}\.tmp$/;

/** Makes a directory, and parents that are missing, 0700. One that is there stays as it is. */
export async function makePrivateDirectory(path: string): Promise<void> {
  const created = await mkdir(path, { recursive: true, mode: 0o700 });
  if (created === undefined) return;
  await chmod(path, 0o700);
  await syncDirectory(dirname(path));
}

/** Writes a file so that a reader, or a machine that loses power, sees the old bytes or the new ones and nobody else sees either: 0600 from its creation. */
export async function writePrivateFile(path: string, bytes: string | Buffer): Promise<void> {
  const name = join(dirname(path), `.${basename(path)}.${randomBytes(8).toString('hex')}.tmp`);
  const file = await open(name, 'wx', 0o600);
  try {
    try {
      await file.chmod(0o600);
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(name, path);
  } catch (error) {
    await rm(name, { force: true });
    throw error;
  }
  await syncDirectory(dirname(path));
}

/** Removes what a killed writer left behind; only for who holds the lock of the directory. */
export async function removeTemporaryFiles(directory: string): Promise<void> {
  for (const name of await readdir(directory)) if (temporary.test(name)) await rm(join(directory, name), { force: true });
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
