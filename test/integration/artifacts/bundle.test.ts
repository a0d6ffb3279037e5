import { open, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { readBundle, writeBundle } from '../../../src/artifacts/bundle.ts';
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
  await writeBundle({ store, locked, path: bundle });
});
afterEach(() => remove());

const elsewhere = (): Store => createStore({ cacheDirectory: join(directory, 'elsewhere'), source: sourceFor({ source: { bundle } }) });

describe('a bundle', () => {
  test('carries artefacts to a machine that has nothing else', async () => {
    expect((await readBundle(bundle)).artifacts).toHaveLength(2);
    const there = elsewhere();
    expect(await there.resolve([tool, other])).toEqual(locked);
    expect(await readFile(await there.path(locked[1]!, 'other'), 'utf8')).toBe('other');
  });

  test('has the same bytes for the same artefacts', async () => {
    const again = join(directory, 'again.bundle');
    await writeBundle({ store, locked: [...locked].reverse(), path: again });
    expect(await readFile(again)).toEqual(await readFile(bundle));
  });

  test('says what it has when it lacks something', async () => {
    await expect(elsewhere().resolve([{ ...tool, version: '9.9.9' }])).rejects.toMatchObject({
      code: 'ARTIFACT_NOT_IN_BUNDLE',
      evidence: expect.stringContaining('tool 1.0.0 amd64'),
    });
  });

  test.each<[string, () => Promise<void>]>([
    ['cut short', async () => truncate(bundle, (await stat(bundle)).size / 2)],
    [
      'altered',
      async () => {
        const file = await open(bundle, 'r+');
        const at = (await readFile(bundle)).indexOf(Buffer.from([0x28, 0xb5, 0x2f, 0xfd]));
        await file.write(Buffer.from('????????'), 0, 8, at + 60);
        await file.close();
      },
    ],
    ['something else', () => writeFile(bundle, 'hello')],
  ])('is refused when it was %s', async (_, damage) => {
    await damage();
    await expect(elsewhere().resolve([other, tool])).rejects.toMatchObject({ code: 'ARTIFACT_BUNDLE_INVALID', where: { file: bundle } });
  });
});
