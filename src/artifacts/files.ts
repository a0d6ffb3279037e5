import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, rename, writeFile } from 'node:fs/promises';
import type { Writable } from 'node:stream';
import { dirname, join } from 'node:path';
import { SlipwayError, messageOf } from '../base/errors.ts';

export async function sha256OfFile(path: string, signal?: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20, ...(signal ? { signal } : {}) })) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

/** A stream into a new file, which is there when this resolves: one that is opened later could appear after whoever gave it up has removed it. */
export async function writeStream(path: string): Promise<Writable> {
  return (await open(path, 'w')).createWriteStream();
}

/** The bytes are on the disk when this returns, and the name always holds either the old text or the new one. */
export async function writeFileDurably(path: string, text: string): Promise<void> {
  const temporary = join(dirname(path), `.${randomUUID()}.tmp`);
  await writeFile(temporary, text, { flush: true });
  await rename(temporary, path);
  await syncDirectory(dirname(path));
}

export async function syncFile(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** After a rename: makes the new name survive a power loss. */
export async function syncDirectory(path: string): Promise<void> {
  await syncFile(path);
}

/** The value of a file operation, or undefined when the file does not exist. */
export async function unlessMissing<T>(operation: Promise<T>): Promise<T | undefined> {
  try {
    return await operation;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

export function codeOf(error: unknown): string | undefined {
  return typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** Whether something was given up because its signal said so. */
export function isAbort(error: unknown): boolean {
  return codeOf(error) === 'ABORT_ERR' || (typeof error === 'object' && error !== null && 'name' in error && error.name === 'AbortError');
}

/** Whether our own disk refused: full, read-only, broken, not ours. */
export function isDiskError(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT', 'EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EIO'].includes(codeOf(error) ?? '');
}

/** Turns what the file system refuses into ARTIFACT_CACHE_UNUSABLE (failed). */
export function cacheError(directory: string, error: unknown): unknown {
  if (!isDiskError(error)) return error;
  return new SlipwayError(`The cache ${directory} cannot be used: ${messageOf(error)}`, {
    code: 'ARTIFACT_CACHE_UNUSABLE',
    category: 'failed',
    hint: 'Make room or give yourself the right to write there, or point XDG_CACHE_HOME at another directory.',
    cause: error,
  });
}
