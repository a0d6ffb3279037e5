import { createWriteStream } from 'node:fs';
import { mkdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { SlipwayError, isSlipwayError } from '../../base/errors.ts';
import { sha256Of } from '../digest.ts';
import { sha256OfFile, unlessMissing, writeFileDurably } from '../files.ts';
import { get, statusError, wrap, type RequestOptions } from './http.ts';

export interface DownloadRequest extends RequestOptions {
  url: string;
  /** Expected digest of the bytes, hex. */
  sha256: string;
  /** Where it goes when it is complete and right; on the same file system as `partial`. */
  path: string;
  /** A directory for what was received before an interruption. */
  partial: string;
  onBytes?: ((done: number, total: number | undefined) => void) | undefined;
}

/**
 * Downloads a file, going on where an earlier attempt, or an earlier process, stopped. Throws ARTIFACT_CHECKSUM_MISMATCH (failed),
 * ARTIFACT_NOT_FOUND (failed), ARTIFACT_SOURCE_UNREACHABLE (unreachable), ABORTED (aborted).
 */
export async function download(request: DownloadRequest): Promise<void> {
  await mkdir(request.partial, { recursive: true });
  const part = join(request.partial, sha256Of(`${request.url} ${request.sha256}`));
  await withRetries(() => receive(request, part), request);

  const got = await sha256OfFile(part, request.signal);
  if (got !== request.sha256) {
    await discard(part);
    throw new SlipwayError(`${request.url} does not have the published checksum`, {
      code: 'ARTIFACT_CHECKSUM_MISMATCH',
      category: 'failed',
      evidence: `expected ${request.sha256}, got ${got}`,
      hint: 'Run the same command again. If it happens again, something between here and there alters downloads: do not use them.',
    });
  }
  await rename(part, request.path);
  await discard(part);
}

/** Runs it again after a pause when the other side could not be reached, a few times. */
export async function withRetries<T>(
  body: () => Promise<T>,
  { signal, pausesMs = [500, 2_000, 5_000] }: Pick<RequestOptions, 'signal' | 'pausesMs'>,
): Promise<T> {
  for (const pause of pausesMs) {
    try {
      return await body();
    } catch (error) {
      if (!isSlipwayError(error) || error.code !== 'ARTIFACT_SOURCE_UNREACHABLE') throw error;
    }
    await sleep(pause, undefined, signal ? { signal } : {});
  }
  return body();
}

/** Appends to `part` what is missing of it. */
async function receive(request: DownloadRequest, part: string): Promise<void> {
  const { url, onBytes, signal } = request;
  const have = (await unlessMissing(stat(part)))?.size ?? 0;
  const validator = have > 0 ? await unlessMissing(readFile(`${part}.etag`, 'utf8')) : undefined;
  // Without a strong validator the rest could be of another file (RFC 9110, 13.1.5).
  const resume = validator ? { range: `bytes=${have}-`, 'if-range': validator } : undefined;
  const reply = await get(url, { ...request, headers: { ...request.headers, ...resume, 'accept-encoding': 'identity' } });
  if (reply.status === 416) {
    reply.body.resume();
    // Nothing is missing; if what is there is wrong, its checksum will say so.
    return;
  }
  const appends = reply.status === 206;
  if (reply.status !== 200 && !appends) throw statusError(url, reply);
  if (!appends) {
    const etag = reply.headers.etag;
    await rm(`${part}.etag`, { force: true });
    if (etag?.startsWith('"')) await writeFileDurably(`${part}.etag`, etag);
  }

  let done = appends ? have : 0;
  const length = Number(reply.headers['content-length']);
  const total = Number.isInteger(length) ? done + length : undefined;
  async function* counted(body: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of body) {
      done += chunk.length;
      onBytes?.(done, total);
      yield chunk;
    }
  }
  try {
    await pipeline(reply.body, counted, createWriteStream(part, { flags: appends ? 'a' : 'w' }), signal ? { signal } : {});
  } catch (error) {
    throw wrap(new URL(url), error);
  }
}

async function discard(part: string): Promise<void> {
  await rm(part, { force: true });
  await rm(`${part}.etag`, { force: true });
}
