import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf, unlessMissing } from './files.ts';

export interface MutexOptions {
  /** Called once when another process, or another call, is ahead. */
  onWaiting?: (() => void) | undefined;
  signal?: AbortSignal | undefined;
}

const BEAT_MS = 5_000;
const STALE_MS = 30_000;

/**
 * Runs `body` while no other process of this machine that uses the same path does, to save doing the same work twice. A holder that
 * died is overtaken after 30 s. Two holders at once are thereby possible, and harmless: the cache itself needs no lock.
 */
export async function withMutex<T>(path: string, { onWaiting, signal }: MutexOptions, body: () => Promise<T>): Promise<T> {
  const owner = randomUUID();
  await mkdir(dirname(path), { recursive: true });
  for (let waited = false; !(await take(path, owner)); waited = true) {
    if (!waited) onWaiting?.();
    await sleep(200, undefined, signal ? { signal } : {});
  }
  const beat = setInterval(() => void utimes(path, new Date(), new Date()).catch(() => undefined), BEAT_MS);
  try {
    return await body();
  } finally {
    clearInterval(beat);
    if ((await unlessMissing(readFile(path, 'utf8'))) === owner) await rm(path, { force: true });
  }
}

async function take(path: string, owner: string): Promise<boolean> {
  try {
    await writeFile(path, owner, { flag: 'wx' });
    return true;
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  }
  const stats = await unlessMissing(stat(path));
  if (stats && Date.now() - stats.mtimeMs > STALE_MS) await rm(path, { force: true });
  return false;
}

/** At most `count` of the bodies given to the result run at a time, the others in order of arrival. */
export function limiter(count: number): <T>(body: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  let free = count;
  return async (body) => {
    if (free > 0) free--;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await body();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else free++;
    }
  };
}
