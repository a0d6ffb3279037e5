import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { execa } from 'execa';
import { SlipwayError, messageOf } from '../base/errors.ts';
import { zstdMissing } from './archive.ts';
import { contentDigest } from './digest.ts';
import { codeOf, sha256OfFile, syncFile } from './files.ts';
import { formatLock, lockedIn, parseLock } from './lock-file.ts';
import { progressClock } from './progress.ts';
import type { FetchOptions, Source } from './source.ts';
import type { Store } from './store.ts';
import { bytesOf, bytesOfFile, tar } from './tar.ts';
import type { Artefact, Lock, LockedArtefact } from './types.ts';

/** The member that says what is in a bundle, in the form of cluster.lock. */
const CONTENTS = 'bundle.lock';

export interface BundleRequest {
  store: Pick<Store, 'archive'>;
  /** Resolved by that store. */
  locked: readonly LockedArtefact[];
  path: string;
  signal?: AbortSignal | undefined;
}

/** Writes everything into one file for a hall without a network: a tar of `bundle.lock` and the archives. The same artefacts give the same bytes. */
export async function writeBundle({ store, locked, path, signal }: BundleRequest): Promise<void> {
  const archives = await Promise.all(
    locked.map(async (entry) => {
      const archive = await store.archive(entry, 'zstd', { signal });
      return { name: memberOf(entry), mode: 0o644, content: bytesOfFile(archive.path, archive.size) };
    }),
  );
  const bundle = tar([{ name: CONTENTS, mode: 0o644, content: bytesOf(formatLock({ version: 1, artifacts: locked })) }, ...archives]);
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    await pipeline(Readable.from(bundle.read()), createWriteStream(temporary), signal ? { signal } : {});
    await syncFile(temporary);
    await rename(temporary, path);
  } finally {
    await rm(temporary, { force: true });
  }
}

/** What a bundle says it has. Throws ARTIFACT_BUNDLE_INVALID (usage). */
export async function readBundle(path: string): Promise<Lock> {
  const { failed, stdout, stderr } = await execa('tar', ['-xOf', resolve(path), CONTENTS], { reject: false, stripFinalNewline: false });
  if (failed) throw invalid(path, stderr);
  return parseLock(stdout, path);
}

/** The artefacts of a bundle file, checked against the digests in it. */
export function bundleSource(path: string): Source {
  let contents: Promise<Lock> | undefined;
  const entryOf = async (artefact: Artefact): Promise<LockedArtefact> => {
    const lock = await (contents ??= readBundle(path));
    const entry = lockedIn(lock, artefact);
    if (entry) return entry;
    throw new SlipwayError(`${path} has no ${artefact.name} ${artefact.version} for ${artefact.arch}`, {
      code: 'ARTIFACT_NOT_IN_BUNDLE',
      category: 'failed',
      hint: 'Make the bundle anew with `slipway bundle create`, for this Kubernetes version and these architectures.',
      evidence: `It has:\n${lock.artifacts.map(({ name, version, arch }) => `${name} ${version} ${arch}`).join('\n')}`,
    });
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
        await options.deliver({ artefact, source: entry.source, files: await unpack(entry, path, options) });
        clock.finished(artefact);
      }
    },
  };
}

async function unpack(
  entry: LockedArtefact,
  path: string,
  { directory, signal }: Pick<FetchOptions, 'directory' | 'signal'>,
): Promise<Record<string, string>> {
  const place = join(directory, memberOf(entry).replace(/\.tar\.zst$/, ''));
  await mkdir(place);
  const cancel = signal ? { cancelSignal: signal } : {};
  try {
    // The bytes go from program to program; a failure of any of the three rejects.
    await execa('tar', ['-xOf', resolve(path), memberOf(entry)], { buffer: { stdout: false }, ...cancel })
      .pipe('zstd', ['-dcq'], { buffer: { stdout: false }, ...cancel })
      .pipe('tar', ['-xf', '-', '-C', place, '--no-same-owner'], cancel);
  } catch (error) {
    signal?.throwIfAborted();
    throw codeOf(error) === 'ENOENT' ? zstdMissing() : invalid(path, messageOf(error));
  }

  const files = Object.fromEntries(Object.keys(entry.files).map((name) => [name, join(place, name)]));
  for (const [name, file] of Object.entries(files)) {
    const got = await sha256OfFile(file, signal);
    if (got !== entry.files[name]) throw invalid(path, `${name}: expected ${entry.files[name]}, got ${got}`);
  }
  return files;
}

function memberOf({ name, version, arch }: Pick<LockedArtefact, 'name' | 'version' | 'arch'>): string {
  return `${name}-${version}-${arch}.tar.zst`;
}

function invalid(path: string, evidence: string): SlipwayError {
  return new SlipwayError(`${path} is not a whole bundle`, {
    code: 'ARTIFACT_BUNDLE_INVALID',
    category: 'usage',
    where: { file: path },
    evidence,
    hint: 'Copy it again, or make it anew with `slipway bundle create`.',
  });
}
