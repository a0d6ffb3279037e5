import { randomUUID } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import * as z from 'zod';
import { sha256Of } from './digest.ts';
import { sha256OfFile, syncDirectory, syncFile, unlessMissing, writeFileDurably } from './files.ts';
import type { Identity } from './source.ts';
import { lockedArtefactSchema, parseJson } from './schema.ts';
import type { Artefact, LockedArtefact } from './types.ts';

/**
 * Files by the sha256 of their bytes, and an index that says which files an artefact from a certain source has. Several processes may
 * use the same directory: everything appears by rename, so that a name is missing or whole.
 */
export interface Cache {
  directory: string;
  /** The path of the file with these bytes; undefined when it is not there. A file with other bytes is removed, and does not count. */
  find(sha256: string): Promise<string | undefined>;
  /** Moves a file of the same file system in, and returns its sha256. */
  add(path: string): Promise<string>;
  /** Has the file at `path`, from `find`, read again the next time it is asked for. */
  forget(path: string): Promise<void>;
  lookUp(artefact: Artefact, identity: Identity): Promise<LockedArtefact | undefined>;
  record(locked: LockedArtefact, identity: Identity): Promise<void>;
  /** What any source has made of an artefact so far. */
  made(artefact: Artefact): Promise<LockedArtefact[]>;
  /** A new empty directory on the same file system. */
  temporaryDirectory(): Promise<string>;
}

/** What is remembered of a file whose bytes were read and found right. The change time cannot be set back by whoever alters the file. */
interface Seen {
  size: string;
  mtime: string;
  ctime: string;
  inode: string;
}

const seenSchema = z.object({ size: z.string(), mtime: z.string(), ctime: z.string(), inode: z.string() });

export function openCache(directory: string): Cache {
  const blobPath = (sha256: string): string => join(directory, 'blobs', sha256.slice(0, 2), sha256);
  const indexDirectory = ({ name, version }: Omit<Artefact, 'files'>): string => join(directory, 'index', name, version);
  const indexPath = (artefact: Omit<Artefact, 'files'>, { source, recipe }: Identity): string =>
    join(indexDirectory(artefact), `${artefact.arch}-${sha256Of(`${source}\n${recipe}`).slice(0, 16)}.json`);

  return {
    directory,
    async find(sha256) {
      const path = blobPath(sha256);
      return (await hasBytes(path, sha256)) ? path : undefined;
    },
    async add(path) {
      await chmod(path, 0o555);
      await syncFile(path);
      const sha256 = await sha256OfFile(path);
      const target = blobPath(sha256);
      await mkdir(dirname(target), { recursive: true });
      await rename(path, target);
      await syncDirectory(dirname(target));
      await remember(target);
      return sha256;
    },
    async forget(path) {
      await rm(recordPath(path), { force: true });
    },
    async lookUp(artefact, identity) {
      const text = await unlessMissing(readFile(indexPath(artefact, identity), 'utf8'));
      return text === undefined ? undefined : parseJson(text, lockedArtefactSchema);
    },
    async record(locked, identity) {
      const path = indexPath(locked, identity);
      await mkdir(dirname(path), { recursive: true });
      await writeFileDurably(path, JSON.stringify(locked, undefined, 2) + '\n');
    },
    async made(artefact) {
      const names = ((await unlessMissing(readdir(indexDirectory(artefact)))) ?? []).sort();
      const own = names.filter((name) => name.startsWith(`${artefact.arch}-`) && name.endsWith('.json'));
      const texts = await Promise.all(own.map((name) => unlessMissing(readFile(join(indexDirectory(artefact), name), 'utf8'))));
      return texts.flatMap((text) => parseJson(text ?? '', lockedArtefactSchema) ?? []);
    },
    async temporaryDirectory() {
      const parent = join(directory, 'tmp');
      await mkdir(parent, { recursive: true });
      return mkdtemp(join(parent, 'work-'));
    },
  };
}

/** Whether the file has these bytes: by what is remembered of it, else by reading it. A file with other bytes is removed. */
export async function hasBytes(path: string, sha256: string): Promise<boolean> {
  const now = await seenNow(path);
  if (!now) return false;
  // What is damaged counts as absent: it can be made again.
  const before = parseJson((await unlessMissing(readFile(recordPath(path), 'utf8'))) ?? '', seenSchema);
  if (before && same(before, now)) return true;
  if ((await sha256OfFile(path)) === sha256) {
    await remember(path);
    return true;
  }
  // Another process may have put a good file there meanwhile.
  const still = await seenNow(path);
  if (still?.inode === now.inode) await removeFile(path);
  return false;
}

/** Whether a file that lies elsewhere is as it was when `rememberRead` was called with the same record. */
export async function isRead(path: string, record: string): Promise<boolean> {
  const now = await seenNow(path);
  const before = parseJson((await unlessMissing(readFile(record, 'utf8'))) ?? '', seenSchema);
  return now !== undefined && before !== undefined && same(before, now);
}

export async function rememberRead(path: string, record: string): Promise<void> {
  await mkdir(dirname(record), { recursive: true });
  const temporary = `${record}.${randomUUID()}`;
  await writeFile(temporary, JSON.stringify(await seenNow(path)));
  await rename(temporary, record);
}

/** Remembers that the bytes of a file are what its name or its description says. */
export async function remember(path: string): Promise<void> {
  const seen = await seenNow(path);
  if (!seen) return;
  const temporary = `${path}.${randomUUID()}`;
  await writeFile(temporary, JSON.stringify(seen));
  await rename(temporary, recordPath(path));
}

export async function removeFile(path: string): Promise<void> {
  await rm(path, { force: true });
  await rm(recordPath(path), { force: true });
}

/** Removes work directories that no process has touched for a day; returns their number. */
export async function sweep(directory: string, now: number): Promise<number> {
  const parent = join(directory, 'tmp');
  let removed = 0;
  for (const name of (await unlessMissing(readdir(parent))) ?? []) {
    const { mtimeMs } = (await unlessMissing(stat(join(parent, name)))) ?? { mtimeMs: now };
    if (now - mtimeMs < 24 * 3600 * 1000) continue;
    await rm(join(parent, name), { recursive: true, force: true });
    removed++;
  }
  return removed;
}

function recordPath(path: string): string {
  return `${path}.seen`;
}

async function seenNow(path: string): Promise<Seen | undefined> {
  const stats = await unlessMissing(stat(path, { bigint: true }));
  return stats && { size: `${stats.size}`, mtime: `${stats.mtimeNs}`, ctime: `${stats.ctimeNs}`, inode: `${stats.ino}` };
}

function same(a: Seen, b: Seen): boolean {
  return a.size === b.size && a.mtime === b.mtime && a.ctime === b.ctime && a.inode === b.inode;
}
