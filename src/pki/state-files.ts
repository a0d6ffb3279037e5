import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { SlipwayError, messageOf } from '../base/errors.ts';
import { damaged, sha256 } from './inventory.ts';
import type { Inventory } from './types.ts';

/** The text of inventory.json; undefined: a new directory. Throws STATE_DAMAGED when keys are there without it, STATE_UNREADABLE. */
export async function readInventory(directory: string): Promise<string | undefined> {
  const file = join(directory, 'inventory.json');
  const text = await readIfThere(file);
  if (text !== undefined || !(await exists(join(directory, 'authorities')))) return text;
  // Another process may have made both in between, the inventory first.
  const second = await readIfThere(file);
  if (second === undefined) throw damaged('inventory.json is missing', file);
  return second;
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw unreadable(file, error);
  }
}

/** Reads everything that the inventory names (STATE_DAMAGED, STATE_UNREADABLE); returns warnings about files that others can get at. */
export async function examine(directory: string, inventory: Inventory): Promise<string[]> {
  const files = [
    ...Object.entries(inventory.authorities).flatMap(([name, { generation, certificateSha256, keySha256 }]) => [
      { path: join(directory, 'authorities', `${name}.${generation}.crt`), digest: certificateSha256 },
      { path: join(directory, 'authorities', `${name}.${generation}.key`), digest: keySha256 },
    ]),
    ...Object.entries(inventory.secrets).map(([name, { generation, sha256: digest }]) => ({
      path: join(directory, 'secrets', `${name}.${generation}`),
      digest,
    })),
  ];
  await Promise.all(files.map(({ path, digest }) => readChecked(path, digest)));
  const open: string[] = [];
  for (const path of [directory, ...files.map((file) => file.path).filter((file) => !file.endsWith('.crt'))]) {
    const mode = await stat(path).then(
      (entry) => entry.mode & 0o777,
      () => 0,
    );
    if ((mode & 0o077) !== 0) open.push(`${path} (${mode.toString(8)})`);
  }
  if (open.length === 0) return [];
  return [`Others on this machine can get at keys of the cluster: ${open.join(', ')}. Close them: chmod -R go= ${directory}`];
}

/** The bytes of a file whose sha256 is known. Throws STATE_DAMAGED, STATE_UNREADABLE. */
export async function readChecked(path: string, digest: string): Promise<Buffer> {
  const bytes = await readFile(path).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw damaged(`${path} is missing`, path, error);
    throw unreadable(path, error);
  });
  if (sha256(bytes) !== digest) throw damaged(`${path} is not what was written`, path);
  return bytes;
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

function unreadable(file: string, cause: unknown): SlipwayError {
  return new SlipwayError(`The state directory cannot be read: ${messageOf(cause)}`, {
    code: 'STATE_UNREADABLE',
    category: 'usage',
    where: { file },
    cause,
    hint: 'Run Slipway as the user who owns the directory.',
  });
}
