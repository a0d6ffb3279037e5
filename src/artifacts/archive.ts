import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { execa } from 'execa';
import { SlipwayError } from '../base/errors.ts';
import { hasBytes, remember } from './cache.ts';
import { contentDigest, sumsText } from './digest.ts';
import { codeOf, sha256OfFile, syncDirectory, syncFile, unlessMissing, writeFileDurably, writeStream } from './files.ts';
import { bytesOf, bytesOfFile, tar, type Bytes } from './tar.ts';
import type { Archive, LockedArtefact } from './types.ts';

/** Measured on the binaries of Kubernetes 1.36.3: from here on, twice the time buys one percent. Decoding takes 8 MB. */
const ZSTD_LEVEL = 9;
const GZIP_LEVEL = 6;

/** The archive as made earlier, when it is there and whole. */
export async function findArchive(
  directory: string,
  locked: LockedArtefact,
  compression: Archive['compression'],
): Promise<Archive | undefined> {
  const path = archivePath(directory, locked, compression);
  const sha256 = (await unlessMissing(readFile(`${path}.sha256`, 'utf8')))?.trim();
  if (!sha256 || !(await hasBytes(path, sha256))) return undefined;
  return { path, size: (await stat(path)).size, sha256, compression };
}

export interface ArchiveRequest {
  directory: string;
  locked: LockedArtefact;
  compression: Archive['compression'];
  /** File name to path of its bytes. */
  paths: Readonly<Record<string, string>>;
  signal?: AbortSignal | undefined;
}

/**
 * A flat tar: the artefact's files and SHA256SUMS. Each archive is one whole zstd frame or gzip member, so several can follow each other
 * in one stream. Throws ARTIFACT_CACHE_CORRUPT (failed) when a file turns out not to have the locked bytes while it is read, ARTIFACT_TOOL_MISSING
 * (failed) without the zstd program.
 */
export async function makeArchive({ directory, locked, compression, paths, signal }: ArchiveRequest): Promise<Archive> {
  const target = archivePath(directory, locked, compression);
  await mkdir(dirname(target), { recursive: true });
  const temporary = `${target}.${randomUUID()}.tmp`;
  try {
    const content = await tarOf(locked, paths);
    await (compression === 'zstd' ? zstd(content, temporary, { flags: zstdFlags(locked), signal }) : gzip(content, temporary, signal));
    await syncFile(temporary);
    const sha256 = await sha256OfFile(temporary);
    // The sum first: an archive without its sum is made again, a sum without its archive as well.
    await writeFileDurably(`${target}.sha256`, `${sha256}\n`);
    await rename(temporary, target);
    await syncDirectory(dirname(target));
    await remember(target);
    return { path: target, size: (await stat(target)).size, sha256, compression };
  } finally {
    await rm(temporary, { force: true });
  }
}

async function tarOf(locked: LockedArtefact, paths: Readonly<Record<string, string>>): Promise<Bytes> {
  const files = await Promise.all(
    Object.entries(locked.files).map(async ([name, sha256]) => {
      const path = paths[name]!;
      const content = checked(bytesOfFile(path, (await stat(path)).size), { path, sha256 });
      return { name, mode: name.endsWith('.tar') ? 0o644 : 0o755, content };
    }),
  );
  return tar([{ name: 'SHA256SUMS', mode: 0o644, content: bytesOf(sumsText(locked.files)) }, ...files]);
}

/** The same bytes; reading them to the end fails when their digest is another. */
function checked({ size, read }: Bytes, { path, sha256 }: { path: string; sha256: string }): Bytes {
  return {
    size,
    async *read() {
      const hash = createHash('sha256');
      for await (const chunk of read()) {
        hash.update(chunk);
        yield chunk;
      }
      if (hash.digest('hex') === sha256) return;
      throw new SlipwayError(`The cached file ${path} does not have its bytes any more`, {
        code: 'ARTIFACT_CACHE_CORRUPT',
        category: 'failed',
        hint: 'Run the same command again: the file was removed and is fetched anew. If this happens again, check the disk.',
      });
    },
  };
}

/**
 * Go binaries of one artefact have the runtime and more in common, which a window of 128 MB finds (a fifth less for etcd and containerd,
 * measured); it is what every decoder accepts, which then takes up to the size of the artefact in memory.
 */
function zstdFlags({ files }: LockedArtefact): string[] {
  return [`-${ZSTD_LEVEL}`, ...(Object.keys(files).length > 1 ? ['--long=27'] : [])];
}

async function zstd(
  content: Bytes,
  path: string,
  { flags, signal }: { flags: readonly string[]; signal?: AbortSignal | undefined },
): Promise<void> {
  // All cores; the result does not depend on their number.
  const child = execa('zstd', ['-q', '-T0', ...flags, `--stream-size=${content.size}`, '-c'], {
    stdin: 'pipe',
    stdout: { file: path },
    buffer: { stdout: false },
    ...(signal ? { cancelSignal: signal } : {}),
  });
  const [written, compressed] = await Promise.allSettled([pipeline(Readable.from(content.read()), child.stdin), child]);
  if (compressed.status === 'fulfilled' && written.status === 'fulfilled') return;
  // The reader's error says why; zstd's then only says that its input ended.
  if (written.status === 'rejected' && codeOf(written.reason) !== 'EPIPE' && codeOf(written.reason) !== 'ERR_STREAM_PREMATURE_CLOSE')
    throw written.reason;
  const error: unknown = compressed.status === 'rejected' ? compressed.reason : (written as PromiseRejectedResult).reason;
  if (codeOf(error) !== 'ENOENT') throw error;
  throw zstdMissing();
}

export function zstdMissing(): SlipwayError {
  return new SlipwayError('The program zstd is not installed on this machine', {
    code: 'ARTIFACT_TOOL_MISSING',
    category: 'failed',
    hint: 'Install zstd (the package has the same name everywhere).',
  });
}

async function gzip(content: Bytes, path: string, signal?: AbortSignal): Promise<void> {
  await pipeline(
    Readable.from(content.read()),
    createGzip({ level: GZIP_LEVEL }),
    await writeStream(path),
    ...(signal ? [{ signal }] : []),
  );
}

function archivePath(directory: string, locked: LockedArtefact, compression: Archive['compression']): string {
  const made = compression === 'zstd' ? `${zstdFlags(locked).join('')}.tar.zst` : `-${GZIP_LEVEL}.tar.gz`;
  return join(directory, 'archives', `${locked.name}-${locked.version}-${locked.arch}-${contentDigest(locked.files).slice(0, 16)}${made}`);
}
