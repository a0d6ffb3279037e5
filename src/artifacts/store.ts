import { rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { SlipwayError, bug, isSlipwayError } from '../base/errors.ts';
import { findArchive, makeArchive } from './archive.ts';
import { openCache, sweep } from './cache.ts';
import { cacheError, isAbort } from './files.ts';
import { checkAgainstLock, emptyLock, lockedIn, mergeLock, readLock, writeLock } from './lock-file.ts';
import { limiter, withMutex } from './mutex.ts';
import type { Fetched, Source, WaitOptions, Wanted } from './source.ts';
import type { Archive, Artefact, Lock, LockedArtefact } from './types.ts';

export interface StoreOptions {
  /** See `defaultCacheDirectory`. */
  cacheDirectory: string;
  source: Source;
  /** cluster.lock; without it bytes are only checked as the source checks them. */
  lockPath?: string | undefined;
}

export interface ResolveOptions extends WaitOptions {
  /**
   * `extend` (default): what the lock does not know yet is added to it. `frozen`: it is an error. `replace`: the lock is written anew
   * with exactly these artefacts, whatever it said before.
   */
  lock?: 'extend' | 'frozen' | 'replace' | undefined;
}

export interface Store {
  /** What is known of each artefact without fetching anything: from the lock, else from the cache. Same order. */
  known(artefacts: readonly Artefact[]): Promise<(LockedArtefact | undefined)[]>;
  /** What is in the cache of an artefact, whole, whichever source it came from, and without asking one; what is locked comes first. */
  here(artefact: Artefact): Promise<LockedArtefact | undefined>;
  /**
   * Brings every artefact into the cache, verified, and returns what it consists of, in the same order. Throws ARTIFACT_LOCK_MISMATCH,
   * ARTIFACT_LOCK_INVALID, ARTIFACT_NOT_LOCKED, ARTIFACT_CACHE_UNUSABLE, ABORTED, and what the source throws.
   */
  resolve(artefacts: readonly Artefact[], options?: ResolveOptions): Promise<LockedArtefact[]>;
  /** Where a file of a resolved artefact is on this machine; read-only and executable. */
  path(locked: LockedArtefact, file: string): Promise<string>;
  /** The archive to send to a host: made once, then from the cache. Throws ARTIFACT_CACHE_CORRUPT, ARTIFACT_TOOL_MISSING (no zstd). */
  archive(locked: LockedArtefact, compression: Archive['compression'], options?: Pick<WaitOptions, 'signal'>): Promise<Archive>;
}

export function createStore({ cacheDirectory, source, lockPath }: StoreOptions): Store {
  const cache = openCache(cacheDirectory);
  const making = new Map<string, Promise<Archive>>();
  // zstd uses all cores by itself, gzip one.
  const turn = { zstd: limiter(1), gzip: limiter(availableParallelism()) };

  return {
    async known(artefacts) {
      const lock = await currentLock();
      return Promise.all(
        artefacts.map(async (artefact) => lockedIn(lock, artefact) ?? (await inCache({ artefact }).catch(ignoreMissingTool))),
      );
    },

    here: guarded(async (artefact: Artefact) => {
      const locked = lockedIn(await currentLock(), artefact);
      for (const entry of [...(locked ? [locked] : []), ...(await cache.made(artefact))])
        if (hasFiles(entry, artefact) && (await isComplete(entry))) return entry;
      return undefined;
    }),

    resolve: guarded(async (artefacts: readonly Artefact[], options: ResolveOptions = {}) => {
      const mode = options.lock ?? 'extend';
      const lock = mode === 'replace' ? emptyLock : await currentLock();
      if (mode === 'frozen') requireLocked(lock, artefacts);
      const wanted = artefacts.map((artefact): Wanted => ({ artefact, locked: lockedIn(lock, artefact) }));

      const found = await lookFor(wanted);
      const missing = wanted.filter(({ artefact }) => !found.has(artefact));
      if (missing.length > 0) await fetch(missing, found, options);

      const result = artefacts.map((artefact) => found.get(artefact)!);
      if (lockPath) {
        checkAgainstLock(lock, result, lockPath);
        const added = result.filter((entry) => !lockedIn(lock, entry));
        if (mode === 'replace') await writeLock(lockPath, { version: 1, artifacts: result });
        else if (added.length > 0) await writeLock(lockPath, mergeLock(await readLock(lockPath), added));
      }
      return result.map((entry) => lockedIn(lock, entry) ?? entry);
    }),

    path: guarded((locked: LockedArtefact, file: string) => pathOf(locked, file)),

    archive: guarded(async (locked: LockedArtefact, compression: Archive['compression'], { signal }: Pick<WaitOptions, 'signal'> = {}) => {
      const key = JSON.stringify([locked.name, locked.version, locked.arch, locked.files, compression]);
      let promise = making.get(key);
      if (!promise) {
        promise = turn[compression](() => archiveOf(locked, compression, signal)).finally(() => making.delete(key));
        making.set(key, promise);
      }
      return promise;
    }),
  };

  async function currentLock(): Promise<Lock> {
    return lockPath ? readLock(lockPath) : emptyLock;
  }

  /** Those whose files are all there: as locked, else as the source would make them. */
  async function lookFor(wanted: readonly Wanted[]): Promise<Map<Artefact, LockedArtefact>> {
    const found = new Map<Artefact, LockedArtefact>();
    for (const order of wanted) {
      const { artefact, locked } = order;
      const entry =
        locked && hasFiles(locked, artefact) && (await isComplete(locked)) ? locked : await inCache(order).catch(ignoreMissingTool);
      if (entry) found.set(artefact, entry);
    }
    return found;
  }

  async function inCache(wanted: Wanted): Promise<LockedArtefact | undefined> {
    const entry = await cache.lookUp(wanted.artefact, await source.identify(wanted));
    return entry && hasFiles(entry, wanted.artefact) && (await isComplete(entry)) ? entry : undefined;
  }

  async function isComplete(locked: LockedArtefact): Promise<boolean> {
    const paths = await Promise.all(Object.values(locked.files).map((sha256) => cache.find(sha256)));
    return paths.every((path) => path !== undefined);
  }

  async function fetch(missing: readonly Wanted[], found: Map<Artefact, LockedArtefact>, options: WaitOptions): Promise<void> {
    const { onProgress, signal } = options;
    const onWaiting = (): void => missing.forEach(({ artefact }) => onProgress?.({ artefact, state: 'waiting' }));
    await withMutex(join(cacheDirectory, 'fetch.lock'), { onWaiting, signal }, async () => {
      // Whoever was ahead of us may have fetched the same.
      for (const [artefact, entry] of await lookFor(missing)) found.set(artefact, entry);
      const still = missing.filter(({ artefact }) => !found.has(artefact));
      if (still.length === 0) return;
      await sweep(cacheDirectory, Date.now());
      const directory = await cache.temporaryDirectory();
      try {
        await source.fetch(still, {
          ...options,
          directory,
          partial: join(cacheDirectory, 'partial'),
          deliver: async (fetched) => {
            const order = still.find(({ artefact }) => artefact === fetched.artefact)!;
            found.set(fetched.artefact, await keep(fetched, order));
          },
        });
      } finally {
        await rm(directory, { recursive: true, force: true });
      }
    });
    const left = missing.find(({ artefact }) => !found.has(artefact));
    if (left) throw bug(`the source did not deliver ${left.artefact.name}`);
  }

  async function keep({ artefact, source: from, files }: Fetched, wanted: Wanted): Promise<LockedArtefact> {
    const { name, version, arch } = artefact;
    const digests: Record<string, string> = {};
    for (const file of [...artefact.files].sort()) digests[file] = await cache.add(files[file]!);
    const locked: LockedArtefact = { name, version, arch, source: from, files: digests };
    await cache.record(locked, await source.identify(wanted));
    return locked;
  }

  async function pathOf(locked: LockedArtefact, file: string): Promise<string> {
    const sha256 = locked.files[file];
    if (!sha256) throw bug(`${locked.name} has no file ${file}`);
    const path = await cache.find(sha256);
    if (path) return path;
    throw new SlipwayError(`${file} of ${locked.name} ${locked.version} is no longer in the cache ${cacheDirectory}`, {
      code: 'ARTIFACT_CACHE_CORRUPT',
      category: 'failed',
      hint: 'Run the same command again: what is missing is fetched anew. If this happens again, check the disk.',
    });
  }

  async function archiveOf(locked: LockedArtefact, compression: Archive['compression'], signal?: AbortSignal): Promise<Archive> {
    const cached = await findArchive(cacheDirectory, locked, compression);
    if (cached) return cached;
    const paths: Record<string, string> = {};
    for (const file of Object.keys(locked.files)) paths[file] = await pathOf(locked, file);
    try {
      return await makeArchive({ directory: cacheDirectory, locked, compression, paths, signal });
    } catch (error) {
      // Which of them it is shows when each is read again.
      if (isSlipwayError(error) && error.code === 'ARTIFACT_CACHE_CORRUPT')
        for (const path of Object.values(paths)) await cache.forget(path);
      throw error;
    }
  }

  function guarded<A extends readonly unknown[], R>(body: (...args: A) => Promise<R>): (...args: A) => Promise<R> {
    return async (...args) => {
      try {
        return await body(...args);
      } catch (error) {
        if (isAbort(error)) throw new SlipwayError('Fetching artefacts was interrupted', { code: 'ABORTED', category: 'aborted' });
        throw cacheError(cacheDirectory, error);
      }
    };
  }
}

const excused: readonly string[] = [
  'ARTIFACT_TOOL_MISSING',
  'ARTIFACT_SOURCE_UNREACHABLE',
  'ARTIFACT_NOT_IN_BUNDLE',
  'ARTIFACT_BUNDLE_MISSING',
  'ARTIFACT_BUNDLE_INVALID',
];

/** A machine without Go or without the right bundle can still use what is locked and cached; the source says so itself when it is asked to fetch. */
function ignoreMissingTool(error: unknown): undefined {
  if (isSlipwayError(error) && excused.includes(error.code)) return undefined;
  throw error;
}

function hasFiles(locked: LockedArtefact, { files }: Artefact): boolean {
  return files.length === Object.keys(locked.files).length && files.every((file) => file in locked.files);
}

function requireLocked(lock: Lock, artefacts: readonly Artefact[]): void {
  const missing = artefacts.filter((artefact) => !lockedIn(lock, artefact));
  if (missing.length === 0) return;
  throw new SlipwayError(`The lock does not know ${missing.map(({ name, version, arch }) => `${name} ${version} (${arch})`).join(', ')}`, {
    code: 'ARTIFACT_NOT_LOCKED',
    category: 'refused',
    hint: 'Run `slipway artifacts lock` and commit the result.',
  });
}
