import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { execa } from 'execa';
import { SlipwayError, messageOf } from '../base/errors.ts';
import { zstdMissing } from './archive.ts';
import { bundleBytes, bundleInvalid, checkEveryByte, memberRange, readContents, type Contents, type ReadOptions } from './bundle-file.ts';
import { isRead, rememberRead } from './cache.ts';
import { contentDigest } from './digest.ts';
import { codeOf, sha256OfFile, syncFile, writeStream } from './files.ts';
import { lockedIn } from './lock-file.ts';
import { progressClock } from './progress.ts';
import type { FetchOptions, Source } from './source.ts';
import type { Store } from './store.ts';
import { bytesOfFile } from './tar.ts';
import type { Artefact, LockedArtefact } from './types.ts';

export type { Contents } from './bundle-file.ts';
export { readContents } from './bundle-file.ts';

export interface BundlePart {
  /** Where its archive comes from. */
  store: Pick<Store, 'archive'>;
  /** Resolved by that store. */
  locked: LockedArtefact;
}

export interface BundleRequest {
  parts: readonly BundlePart[];
  path: string;
  signal?: AbortSignal | undefined;
  /** Called for each archive that is ready, and while the file is written. */
  onArchive?: ((locked: LockedArtefact) => void) | undefined;
  onBytes?: ((done: number, total: number) => void) | undefined;
}

/** Writes everything into one file for a hall without a network. The same artefacts give the same bytes. */
export async function writeBundle({ parts, path, signal, onArchive, onBytes }: BundleRequest): Promise<void> {
  const members = await Promise.all(
    parts.map(async ({ store, locked }) => {
      const archive = await store.archive(locked, 'zstd', { signal });
      onArchive?.(locked);
      return { name: memberOf(locked), size: archive.size, sha256: archive.sha256, content: bytesOfFile(archive.path, archive.size) };
    }),
  );
  const bundle = bundleBytes(
    parts.map(({ locked }) => locked),
    members,
  );
  const temporary = `${path}.${randomUUID()}.tmp`;
  let done = 0;
  const counted = async function* (): AsyncGenerator<Uint8Array> {
    for await (const chunk of bundle.read()) {
      yield chunk;
      onBytes?.((done += chunk.length), bundle.size);
    }
  };
  try {
    await pipeline(Readable.from(counted()), await writeStream(temporary), signal ? { signal } : {});
    await syncFile(temporary);
    await rename(temporary, path);
  } catch (error) {
    signal?.throwIfAborted();
    throw unwritable(path, error);
  } finally {
    await rm(temporary, { force: true });
  }
}

/** Reads every byte of a bundle, unless this machine has done so before and the file has not been touched since. Throws as readContents. */
export async function verifyOnce(
  path: string,
  { cacheDirectory, ...options }: ReadOptions & { cacheDirectory: string },
): Promise<Contents> {
  const contents = await readContents(path);
  const record = join(cacheDirectory, 'bundles', `${contents.digest}.seen`);
  if (await isRead(path, record)) return contents;
  await checkEveryByte(path, options);
  await rememberRead(path, record);
  return contents;
}

/** Throws ARTIFACT_NOT_IN_BUNDLE (refused), for all that is missing at once. */
export function requireInBundle({ artifacts }: Pick<Contents, 'artifacts'>, wanted: readonly Artefact[], path: string): void {
  const missing = wanted.filter((artefact) => !lockedIn({ version: 1, artifacts }, artefact));
  if (missing.length === 0) return;
  const words = ({ name, version, arch }: Omit<Artefact, 'files'>): string => `${name} ${version} ${arch}`;
  const architectures = new Set(artifacts.map(({ arch }) => arch));
  const foreign = [...new Set(missing.map(({ arch }) => arch))].filter((arch) => !architectures.has(arch));
  const what =
    foreign.length > 0
      ? `has nothing for ${foreign.join(' and ')}`
      : missing.length === 1
        ? `has no ${words(missing[0]!)}`
        : `lacks ${missing.length} artefacts`;
  throw new SlipwayError(`${path} ${what}`, {
    code: 'ARTIFACT_NOT_IN_BUNDLE',
    category: 'refused',
    where: { file: path },
    hint: 'Make the bundle anew with `slipway bundle create`, for this Kubernetes version and these architectures.',
    evidence: `It lacks:\n${missing.map(words).join('\n')}\nIt has:\n${artifacts.map(words).join('\n')}`,
  });
}

/** The artefacts of a bundle file, checked against the digests in it. */
export function bundleSource(path: string): Source {
  let contents: Promise<Contents> | undefined;
  const entryOf = async (artefact: Artefact): Promise<LockedArtefact> => {
    const { artifacts } = await (contents ??= readContents(path));
    requireInBundle({ artifacts }, [artefact], path);
    return lockedIn({ version: 1, artifacts }, artefact)!;
  };
  return {
    async identify({ artefact }) {
      const { source, files } = await entryOf(artefact);
      return { source, recipe: `bundle ${contentDigest(files)}` };
    },
    async fetch(wanted, options) {
      const clock = progressClock(options, () => path);
      for (const { artefact } of wanted) {
        const entry = await entryOf(artefact);
        clock.started(artefact);
        const onBytes = (done: number, total: number): void => clock.working(artefact, { bytes: { done, total } });
        await options.deliver({ artefact, source: entry.source, files: await unpack(entry, path, { ...options, onBytes }) });
        clock.finished(artefact);
      }
    },
  };
}

async function unpack(
  entry: LockedArtefact,
  path: string,
  { directory, signal, onBytes }: Pick<FetchOptions, 'directory' | 'signal'> & Required<Pick<ReadOptions, 'onBytes'>>,
): Promise<Record<string, string>> {
  const { name, start, end, size, sha256 } = await memberRange(path, memberOf(entry));
  const place = join(directory, name.replace(/\.tar\.zst$/, ''));
  await mkdir(place);
  const cancel = signal ? { cancelSignal: signal } : {};
  const hash = createHash('sha256');
  let done = 0;
  const archive = new Transform({
    transform(chunk: Buffer, _encoding, next) {
      hash.update(chunk);
      onBytes?.((done += chunk.length), size);
      next(undefined, chunk);
    },
  });
  try {
    // The bytes go from program to program; a failure of any of them rejects.
    await Promise.all([
      pipeline(createReadStream(path, { start, end: end - 1, highWaterMark: 1 << 20 }), archive),
      execa('zstd', ['-dcq'], { input: archive, buffer: { stdout: false }, ...cancel }).pipe(
        'tar',
        ['-xf', '-', '-C', place, '--no-same-owner'],
        cancel,
      ),
    ]);
  } catch (error) {
    signal?.throwIfAborted();
    throw codeOf(error) === 'ENOENT' ? zstdMissing() : bundleInvalid(path, messageOf(error));
  }
  const got = hash.digest('hex');
  if (got !== sha256) throw bundleInvalid(path, `${name}: expected sha256 ${sha256}, got ${got}`);

  const files = Object.fromEntries(Object.keys(entry.files).map((file) => [file, join(place, file)]));
  for (const [file, unpacked] of Object.entries(files)) {
    const digest = await sha256OfFile(unpacked, signal).catch((error: unknown) => {
      throw codeOf(error) === 'ENOENT' ? bundleInvalid(path, `${name} has no ${file}`) : error;
    });
    if (digest !== entry.files[file]) throw bundleInvalid(path, `${file} in ${name}: expected sha256 ${entry.files[file]}, got ${digest}`);
  }
  return files;
}

function memberOf({ name, version, arch }: Pick<LockedArtefact, 'name' | 'version' | 'arch'>): string {
  return `${name}-${version}-${arch}.tar.zst`;
}

function unwritable(path: string, error: unknown): unknown {
  if (!['ENOSPC', 'EDQUOT', 'EACCES', 'EPERM', 'EROFS', 'ENOENT', 'ENOTDIR', 'EISDIR'].includes(codeOf(error) ?? '')) return error;
  return new SlipwayError(`The bundle ${path} cannot be written: ${messageOf(error)}`, {
    code: 'ARTIFACT_BUNDLE_UNWRITABLE',
    category: 'failed',
    where: { file: path },
    hint: 'Make room or give yourself the right to write there, or name another file with -o.',
    cause: error,
  });
}
