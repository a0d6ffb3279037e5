import { createReadStream } from 'node:fs';
import { readFile, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { sha256OfFile } from '../../../src/artifacts/files.ts';
import { createStore, type Store } from '../../../src/artifacts/store.ts';
import type { Archive, LockedArtefact } from '../../../src/artifacts/types.ts';
import { scratch, textSource, tool } from './fixture.ts';

let directory: string;
let remove: () => Promise<void>;
let store: Store;
let locked: LockedArtefact;
let image: LockedArtefact;

beforeEach(async () => {
  ({ path: directory, remove } = await scratch());
  store = createStore({
    cacheDirectory: join(directory, 'cache'),
    source: textSource({ tool: 'binary '.repeat(50_000), toolctl: 'control' }),
  });
  const resolved = await store.resolve([tool, { ...tool, name: 'image-tool', files: ['image-tool.tar'] }]);
  [locked, image] = resolved as [LockedArtefact, LockedArtefact];
});
afterEach(() => remove());

const decoder = { zstd: ['zstd', '-dcq'], gzip: ['gzip', '-dc'] } as const;

async function unpack(archives: readonly Archive[]): Promise<string> {
  const out = join(directory, 'out');
  await execa('mkdir', [out]);
  const [program, ...flags] = decoder[archives[0]!.compression];
  async function* bytes() {
    for (const { path } of archives) yield* createReadStream(path);
  }
  await execa({ input: Readable.from(bytes()) })(program, flags).pipe('tar', ['-xif', '-', '-C', out]);
  return out;
}

describe.each(['zstd', 'gzip'] as const)('an archive packed with %s', (compression) => {
  test('unpacks into the files with their modes, and sums that hold', async () => {
    const archive = await store.archive(locked, compression);
    expect(archive).toMatchObject({ compression, size: (await stat(archive.path)).size, sha256: await sha256OfFile(archive.path) });
    const out = await unpack([archive]);
    expect((await readdir(out)).sort()).toEqual(['SHA256SUMS', 'tool', 'toolctl']);
    expect((await stat(join(out, 'tool'))).mode & 0o777).toBe(0o755);
    await execa('sha256sum', ['--check', '--strict', 'SHA256SUMS'], { cwd: out });
  });

  test('can follow another in one stream', async () => {
    const out = await unpack([await store.archive(locked, compression), await store.archive(image, compression)]);
    expect((await readdir(out)).sort()).toEqual(['SHA256SUMS', 'image-tool.tar', 'tool', 'toolctl']);
    expect((await stat(join(out, 'image-tool.tar'))).mode & 0o777).toBe(0o644);
  });

  test('is made once for all who ask at the same time, and again with the same bytes when it was damaged', async () => {
    const [one, two] = await Promise.all([store.archive(locked, compression), store.archive(locked, compression)]);
    expect(two).toEqual(one);
    const { ino } = await stat(one.path);
    expect(await store.archive(locked, compression)).toEqual(one);
    expect((await stat(one.path)).ino).toBe(ino);

    await execa('truncate', ['-s', '-1', one.path]);
    expect(await store.archive(locked, compression)).toEqual(one);
    expect(await sha256OfFile(one.path)).toBe(one.sha256);
    await rm(`${one.path}.sha256`);
    expect(await store.archive(locked, compression)).toEqual(one);
  });

  test('stops when asked to, and leaves nothing half done', async () => {
    await expect(store.archive(locked, compression, { signal: AbortSignal.abort() })).rejects.toThrow();
    expect(await readdir(join(directory, 'cache', 'archives'))).toEqual([]);
  });
});

test('without the zstd program the error says what to install', async () => {
  const path = process.env['PATH'];
  process.env['PATH'] = directory;
  try {
    await expect(store.archive(locked, 'zstd')).rejects.toMatchObject({
      code: 'ARTIFACT_TOOL_MISSING',
      hint: expect.stringContaining('zstd'),
    });
  } finally {
    process.env['PATH'] = path;
  }
  expect((await readFile((await store.archive(locked, 'gzip')).path)).length).toBeGreaterThan(0);
});
