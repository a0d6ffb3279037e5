import { readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { checkEveryByte } from '../../../src/artifacts/bundle-file.ts';
import { readContents, verifyOnce, writeBundle } from '../../../src/artifacts/bundle.ts';
import { writeLock } from '../../../src/artifacts/lock-file.ts';
import { sourceFor } from '../../../src/artifacts/sources.ts';
import { createStore, type Store } from '../../../src/artifacts/store.ts';
import type { LockedArtefact } from '../../../src/artifacts/types.ts';
import { scratch, textSource, tool } from './fixture.ts';

const other = { ...tool, name: 'other', files: ['other'] };

let directory: string;
let remove: () => Promise<void>;
let store: Store;
let locked: LockedArtefact[];
let bundle: string;

beforeEach(async () => {
  ({ path: directory, remove } = await scratch());
  store = createStore({ cacheDirectory: join(directory, 'cache'), source: textSource({ tool: 'binary '.repeat(50_000) }) });
  locked = await store.resolve([tool, other]);
  bundle = join(directory, 'slipway.bundle');
  await writeBundle({ parts: locked.map((entry) => ({ store, locked: entry })), path: bundle });
});
afterEach(() => remove());

const elsewhere = (): Store =>
  createStore({ cacheDirectory: join(directory, 'elsewhere'), source: sourceFor({ source: { bundle }, overrides: {} }) });

describe('a bundle', () => {
  test('carries artefacts to a machine that has nothing else', async () => {
    expect((await readContents(bundle)).artifacts).toHaveLength(2);
    const there = elsewhere();
    expect(await there.resolve([tool, other])).toEqual(locked);
    expect(await readFile(await there.path(locked[1]!, 'other'), 'utf8')).toBe('other');
  });

  test('has the same bytes for the same artefacts', async () => {
    const again = join(directory, 'again.bundle');
    await writeBundle({ parts: [...locked].reverse().map((entry) => ({ store, locked: entry })), path: again });
    expect(await readFile(again)).toEqual(await readFile(bundle));
  });

  test('says what it has when it lacks something', async () => {
    await expect(elsewhere().resolve([{ ...tool, version: '9.9.9' }])).rejects.toMatchObject({
      code: 'ARTIFACT_NOT_IN_BUNDLE',
      evidence: expect.stringContaining('tool 1.0.0 amd64'),
    });
  });

  test('that is not there says so', async () => {
    await expect(readContents(join(directory, 'nothing'))).rejects.toMatchObject({ code: 'ARTIFACT_BUNDLE_MISSING', category: 'usage' });
    await expect(readContents(directory)).rejects.toMatchObject({ code: 'ARTIFACT_BUNDLE_MISSING' });
  });

  test('says which processor it is not for', async () => {
    const there = { ...tool, arch: 'arm64' } as const;
    await expect(elsewhere().resolve([there])).rejects.toMatchObject({
      message: expect.stringContaining('has nothing for arm64'),
      code: 'ARTIFACT_NOT_IN_BUNDLE',
      category: 'refused',
    });
  });

  test('that is not what the lock says is refused', async () => {
    const lockPath = join(directory, 'cluster.lock');
    await writeLock(lockPath, { version: 1, artifacts: [{ ...locked[0]!, files: { ...locked[0]!.files, tool: '0'.repeat(64) } }] });
    const there = createStore({
      cacheDirectory: join(directory, 'elsewhere'),
      source: sourceFor({ source: { bundle }, overrides: {} }),
      lockPath,
    });
    await expect(there.resolve([tool])).rejects.toMatchObject({ code: 'ARTIFACT_LOCK_MISMATCH' });
  });

  test('is refused when an archive in it has other files than it says', async () => {
    const liar: LockedArtefact = { ...locked[1]!, files: { other: '1'.repeat(64) } };
    await writeBundle({ parts: [{ store: { archive: () => store.archive(locked[1]!, 'zstd') }, locked: liar }], path: bundle });
    await checkEveryByte(bundle);
    await expect(elsewhere().resolve([other])).rejects.toMatchObject({
      code: 'ARTIFACT_BUNDLE_INVALID',
      evidence: expect.stringMatching(/^other in other-1\.0\.0-amd64\.tar\.zst: expected sha256 1{64}, got/),
    });
  });

  test('is read by any tar', async () => {
    const { stdout } = await execa('tar', ['-tf', bundle]);
    expect(stdout.split('\n')).toEqual(['CONTENTS.yaml', 'other-1.0.0-amd64.tar.zst', 'tool-1.0.0-amd64.tar.zst']);
  });

  test('is whole only when no byte of it has changed', async () => {
    const whole = await readFile(bundle);
    expect((await checkEveryByte(bundle)).members.map(({ name }) => name)).toHaveLength(2);
    const damaged = join(directory, 'damaged');
    // Contents, headers, the space between members and the end, and the members themselves.
    const { members } = await readContents(bundle);
    const inside = members.reduce((sum, { size }) => sum + size, 0);
    const step = Math.max(1, Math.floor(inside / 200));
    const places = [...whole.keys()].filter(
      (at) => (at < 2048 && at % 5 === 0) || at % step === 0 || (at > whole.length - 1100 && at % 5 === 0),
    );
    for (const at of places) {
      const copy = Buffer.from(whole);
      copy[at]! ^= 1;
      await writeFile(damaged, copy);
      expect([at, await checkEveryByte(damaged).then(String, (error: { code: string }) => error.code)]).toEqual([
        at,
        'ARTIFACT_BUNDLE_INVALID',
      ]);
    }
    for (const length of [0, 100, 512, whole.length - 512, whole.length - 1]) {
      await writeFile(damaged, whole.subarray(0, length));
      await expect(checkEveryByte(damaged)).rejects.toMatchObject({ code: 'ARTIFACT_BUNDLE_INVALID' });
    }
    await writeFile(damaged, Buffer.concat([whole, Buffer.alloc(512)]));
    await expect(checkEveryByte(damaged)).rejects.toMatchObject({ code: 'ARTIFACT_BUNDLE_INVALID' });
  });

  test('is read once, and again when it was touched', async () => {
    const at = { cacheDirectory: join(directory, 'elsewhere') };
    const reads: number[] = [];
    const look = () => verifyOnce(bundle, { ...at, onBytes: (done) => reads.push(done) });
    await look();
    const first = reads.length;
    expect(first).toBeGreaterThan(0);
    await look();
    expect(reads).toHaveLength(first);
    const bytes = await readFile(bundle);
    bytes[bytes.length - 1500]! ^= 1;
    await writeFile(bundle, bytes);
    await expect(look()).rejects.toMatchObject({ code: 'ARTIFACT_BUNDLE_INVALID' });
  });

  test.each<[string, () => Promise<void>]>([
    ['cut short', async () => truncate(bundle, (await stat(bundle)).size / 2)],
    [
      'altered',
      async () => {
        const bytes = await readFile(bundle);
        bytes[bytes.indexOf(Buffer.from([0x28, 0xb5, 0x2f, 0xfd])) + 60]! ^= 1;
        await writeFile(bundle, bytes);
      },
    ],
    ['something else', () => writeFile(bundle, 'hello')],
  ])('is refused when it was %s', async (_, damage) => {
    await damage();
    await expect(elsewhere().resolve([other, tool])).rejects.toMatchObject({ code: 'ARTIFACT_BUNDLE_INVALID', where: { file: bundle } });
  });
});
