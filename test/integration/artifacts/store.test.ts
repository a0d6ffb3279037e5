import { appendFile, mkdir, open, readFile, readdir, rm, truncate, utimes, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { sha256Of } from '../../../src/artifacts/digest.ts';
import { parseLock } from '../../../src/artifacts/lock-file.ts';
import type { ArtifactProgress } from '../../../src/artifacts/source.ts';
import { createStore, type Store } from '../../../src/artifacts/store.ts';
import { scratch, textSource, tool, type TextSource } from './fixture.ts';

let directory: string;
let remove: () => Promise<void>;
let source: TextSource;
let store: Store;

beforeEach(async () => {
  ({ path: directory, remove } = await scratch());
  source = textSource({ tool: 'x'.repeat(100_000), toolctl: 'control' });
  store = createStore({ cacheDirectory: join(directory, 'cache'), source, lockPath: join(directory, 'cluster.lock') });
});
afterEach(() => remove());

const lockPath = (): string => join(directory, 'cluster.lock');

async function resolveTool(options = {}) {
  const [locked] = await store.resolve([tool], options);
  return locked!;
}

/** Overwrites one byte in the middle and gives the file its old times back. */
async function flipBit(path: string): Promise<void> {
  const { atime, mtime, size } = await stat(path);
  const file = await open(path, 'r+');
  await file.write(Buffer.from('y'), 0, 1, Math.floor(size / 2));
  await file.close();
  await utimes(path, atime, mtime);
}

describe('the store', () => {
  test('fetches once and then takes from the cache, by the lock or by the source', async () => {
    const locked = await resolveTool();
    expect(locked.files).toEqual({ tool: sha256Of('x'.repeat(100_000)), toolctl: sha256Of('control') });
    expect(await resolveTool()).toEqual(locked);
    await rm(lockPath());
    expect(await resolveTool()).toEqual(locked);
    expect(source.fetches).toBe(1);
  });

  test('knows before the first fetch nothing, afterwards everything, and never fetches for it', async () => {
    expect(await store.known([tool])).toEqual([undefined]);
    const locked = await resolveTool();
    expect(await store.known([tool])).toEqual([locked]);
    expect(source.fetches).toBe(1);
  });

  test.each<[string, (path: string) => Promise<void>]>([
    ['truncated', (path) => truncate(path, 10)],
    ['altered in one byte with its times set back', flipBit],
    ['lengthened', (path) => appendFile(path, 'z')],
    ['removed', (path) => rm(path)],
  ])('fetches anew what was %s in the cache', async (_, damage) => {
    const before = await resolveTool();
    const path = await store.path(before, 'tool');
    await damage(path);
    expect(await resolveTool()).toEqual(before);
    expect(source.fetches).toBe(2);
    expect(sha256Of(await readFile(await store.path(before, 'tool')))).toBe(before.files['tool']);
  });

  test('says that a file is gone when it was altered after it was resolved', async () => {
    const locked = await resolveTool();
    await flipBit(await store.path(locked, 'tool'));
    await expect(store.archive(locked, 'gzip')).rejects.toMatchObject({ code: 'ARTIFACT_CACHE_CORRUPT', category: 'failed' });
  });

  test('takes a damaged index or record for absent', async () => {
    const locked = await resolveTool();
    await rm(lockPath());
    await writeFile(`${await store.path(locked, 'tool')}.seen`, '{');
    const index = join(directory, 'cache', 'index', 'tool', '1.0.0');
    for (const name of await readdir(index)) await writeFile(join(index, name), '{"name":');
    expect(await resolveTool()).toEqual(locked);
    expect(source.fetches).toBe(2);
  });

  test('leaves no work behind in the cache, whether a fetch succeeds or fails', async () => {
    await resolveTool();
    source.fetch = async ({}, { directory: work }) => {
      await writeFile(join(work, 'half'), 'half');
      throw new Error('the network is down');
    };
    await expect(store.resolve([{ ...tool, version: '2.0.0' }])).rejects.toThrow('the network is down');
    expect(await readdir(join(directory, 'cache', 'tmp'))).toEqual([]);
    expect(await readdir(join(directory, 'cache'))).not.toContain('fetch.lock');
  });

  test('keeps what was complete when a later artefact fails', async () => {
    const other = { ...tool, name: 'other', files: ['other'] };
    const fetch = source.fetch.bind(source);
    source.fetch = async (wanted, options) => {
      await fetch(wanted.slice(0, 1), options);
      throw new Error('the network is down');
    };
    await expect(store.resolve([tool, other])).rejects.toThrow('the network is down');
    source.fetch = fetch;
    await store.resolve([tool, other]);
    expect(source.fetches).toBe(2);
  });

  test('fetches once for callers that ask at the same time', async () => {
    const twin = createStore({ cacheDirectory: join(directory, 'cache'), source });
    const states: string[] = [];
    const onProgress = ({ state }: ArtifactProgress): void => void states.push(state);
    const [one, two] = await Promise.all([resolveTool({ onProgress }), twin.resolve([tool], { onProgress })]);
    expect(two).toEqual([one]);
    expect(source.fetches).toBe(1);
    expect(states).toContain('waiting');
  });

  test('goes on where a killed process left its mark', async () => {
    const mark = join(directory, 'cache', 'fetch.lock');
    await mkdir(join(directory, 'cache'));
    await writeFile(mark, 'somebody');
    const longAgo = new Date(Date.now() - 3600_000);
    await utimes(mark, longAgo, longAgo);
    await resolveTool();
    expect(source.fetches).toBe(1);
  });

  test('stops waiting for another process when interrupted', async () => {
    const controller = new AbortController();
    await mkdir(join(directory, 'cache'));
    await writeFile(join(directory, 'cache', 'fetch.lock'), 'somebody');
    await expect(resolveTool({ signal: controller.signal, onProgress: () => controller.abort() })).rejects.toMatchObject({
      code: 'ABORTED',
      category: 'aborted',
    });
    expect(source.fetches).toBe(0);
  });

  test('says what to do when the cache cannot be written', async () => {
    await writeFile(join(directory, 'file'), '');
    const blocked = createStore({ cacheDirectory: join(directory, 'file', 'cache'), source });
    await expect(blocked.resolve([tool])).rejects.toMatchObject({
      code: 'ARTIFACT_CACHE_UNUSABLE',
      hint: expect.stringContaining('XDG_CACHE_HOME'),
    });
  });
});

describe('the lock', () => {
  test('gains what it did not know and is otherwise left alone', async () => {
    await resolveTool();
    const { mtimeNs } = await stat(lockPath(), { bigint: true });
    await resolveTool();
    expect((await stat(lockPath(), { bigint: true })).mtimeNs).toBe(mtimeNs);

    await store.resolve([{ ...tool, version: '2.0.0' }]);
    const lock = parseLock(await readFile(lockPath(), 'utf8'), lockPath());
    expect(lock.artifacts.map(({ version }) => version)).toEqual(['1.0.0', '2.0.0']);
  });

  test('refuses other bytes than it recorded, and is written anew only on request', async () => {
    const before = await resolveTool();
    const text = await readFile(lockPath(), 'utf8');
    await rm(join(directory, 'cache'), { recursive: true });
    source.contents['toolctl'] = 'another';
    const refused = {
      code: 'ARTIFACT_LOCK_MISMATCH',
      evidence: expect.stringContaining(`toolctl: expected ${before.files['toolctl']}, got ${sha256Of('another')}`),
    };
    await expect(resolveTool()).rejects.toMatchObject(refused);
    await expect(resolveTool()).rejects.toMatchObject(refused);
    expect(await readFile(lockPath(), 'utf8')).toBe(text);

    const after = await resolveTool({ lock: 'replace' });
    expect(after.files['toolctl']).toBe(sha256Of('another'));
    expect(await resolveTool()).toEqual(after);
  });

  test('can be frozen: then what it does not know is refused before anything is fetched', async () => {
    await expect(resolveTool({ lock: 'frozen' })).rejects.toMatchObject({ code: 'ARTIFACT_NOT_LOCKED', category: 'refused' });
    expect(source.fetches).toBe(0);
  });
});
