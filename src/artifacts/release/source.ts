import { mkdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { execa } from 'execa';
import { SlipwayError } from '../../base/errors.ts';
import { writeStream } from '../files.ts';
import { limiter } from '../mutex.ts';
import { progressClock } from '../progress.ts';
import type { FetchOptions, Source } from '../source.ts';
import type { Artefact } from '../types.ts';
import { download, withRetries } from './download.ts';
import { getText } from './http.ts';
import { digestIn, onMirror, publishedAt, type Download } from './layout.ts';
import { pull } from './registry.ts';

export interface ReleaseOptions {
  /** A server that has every upstream site as a directory; missing: the sites themselves. */
  mirror?: string | undefined;
  environment?: NodeJS.ProcessEnv | undefined;
  /** As RequestOptions.pausesMs. */
  pausesMs?: readonly number[] | undefined;
}

/** More would only compete for the same link. */
const PARALLEL = 4;

/** Counts changes of how files are taken out of what was downloaded. */
const FORMAT = 'release 1';

/** Upstream's own binaries and images, checked against the checksums and digests that upstream publishes. */
export function releaseSource({ mirror, environment = process.env, pausesMs }: ReleaseOptions = {}): Source {
  const { base, headers } = withoutCredentials(mirror);
  const locate = (url: string): string => (base ? onMirror(url, base) : url);
  const sourceOf = (artefact: Artefact): string => {
    const place = publishedAt(artefact);
    return place.kind === 'download' ? locate(place.url) : `${base ? `${base} ` : ''}${place.reference}`;
  };

  return {
    identify: async ({ artefact }) => ({ source: sourceOf(artefact), recipe: FORMAT }),
    async fetch(wanted, options) {
      const clock = progressClock(options, sourceOf);
      const turn = limiter(PARALLEL);
      // The first failure stops the others; what they received is kept.
      const failed = new AbortController();
      const signal = options.signal ? AbortSignal.any([options.signal, failed.signal]) : failed.signal;
      const results = await Promise.allSettled(
        wanted.map(({ artefact }) =>
          turn(async () => {
            signal.throwIfAborted();
            clock.started(artefact);
            const onBytes = (done: number, total?: number): void => clock.working(artefact, { bytes: { done, total } });
            const files = await fetchOne(artefact, { options: { ...options, signal }, onBytes });
            await options.deliver({ artefact, source: sourceOf(artefact), files });
            clock.finished(artefact);
          }).catch((error: unknown) => {
            const first = !signal.aborted;
            failed.abort();
            throw first ? error : aborted();
          }),
        ),
      );
      const errors = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
      if (errors.length > 0) throw errors.find((error) => (error as { code?: string }).code !== 'ABORTED') ?? errors[0];
    },
  };

  interface Task {
    options: FetchOptions;
    onBytes: (done: number, total?: number) => void;
  }

  async function fetchOne(artefact: Artefact, task: Task): Promise<Record<string, string>> {
    const directory = join(task.options.directory, `${artefact.name}-${artefact.version}-${artefact.arch}`);
    await mkdir(directory);
    const place = publishedAt(artefact);
    if (place.kind === 'download') return fetchFiles(artefact, { place, directory, task });
    const { signal, partial } = task.options;
    const blobs = join(directory, 'blobs');
    const archive = await pull({
      reference: place.reference,
      arch: artefact.arch,
      directory: blobs,
      partial,
      locate,
      signal,
      environment,
      headers,
      pausesMs,
      onBytes: task.onBytes,
    });
    const path = join(directory, artefact.files[0]!);
    await pipeline(Readable.from(archive.read()), await writeStream(path), signal ? { signal } : {});
    return { [artefact.files[0]!]: path };
  }

  async function fetchFiles(
    artefact: Artefact,
    { place, directory, task }: { place: Download; directory: string; task: Task },
  ): Promise<Record<string, string>> {
    const { signal, partial } = task.options;
    const sha256 = await publishedDigest(place, signal);
    const path = join(directory, 'download');
    await download({ url: locate(place.url), sha256, path, partial, signal, environment, headers, pausesMs, onBytes: task.onBytes });
    if (!place.members) return { [artefact.files[0]!]: path };

    const unpacked = join(directory, 'unpacked');
    await mkdir(unpacked);
    const { failed, stderr } = await execa('tar', ['-xzf', path, '-C', unpacked, '--no-same-owner'], {
      reject: false,
      ...(signal ? { cancelSignal: signal } : {}),
    });
    signal?.throwIfAborted();
    if (failed) throw unusable(place.url, stderr);
    return Object.fromEntries(Object.entries(place.members).map(([file, member]) => [file, join(unpacked, member)]));
  }

  async function publishedDigest({ url, checksum }: Download, signal: AbortSignal | undefined): Promise<string> {
    const address = locate(checksum.url);
    const text = await withRetries(() => getText(address, { signal, environment, headers }), { signal, pausesMs });
    const digest = digestIn(text, checksum.form, basename(url));
    if (digest) return digest;
    throw unusable(address, `no sha256 of ${basename(url)} in:\n${text.slice(0, 500)}`);
  }
}

/** The user and password of a mirror belong into a header, so that they stand in no lock, log or message. */
function withoutCredentials(mirror: string | undefined): { base?: string; headers?: Record<string, string> } {
  if (!mirror) return {};
  const url = new URL(mirror);
  const { username, password } = url;
  if (!username) return { base: mirror };
  url.username = url.password = '';
  const credentials = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64');
  return { base: url.href, headers: { authorization: `Basic ${credentials}` } };
}

function unusable(url: string, evidence: string): SlipwayError {
  return new SlipwayError(`${url} is not what it should be`, {
    code: 'ARTIFACT_DOWNLOAD_INVALID',
    category: 'failed',
    evidence,
    hint: 'A proxy or a mirror may answer with a page of its own. Check it, or set spec.artifacts.source to another source.',
  });
}

function aborted(): SlipwayError {
  return new SlipwayError('The download was interrupted', { code: 'ABORTED', category: 'aborted' });
}
