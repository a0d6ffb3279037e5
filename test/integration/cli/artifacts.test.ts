import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { writeBundle } from '../../../src/artifacts/bundle.ts';
import { artefactsFor } from '../../../src/artifacts/catalogue.ts';
import { createStore } from '../../../src/artifacts/store.ts';
import { main } from '../../../src/cli/main.ts';
import { fakeIo } from '../../unit/init/io.ts';
import { scratch, textSource } from '../artifacts/fixture.ts';

let directory: string;
let remove: () => Promise<void>;
let file: string;
let bundle: string;

/** A cluster file that takes everything from a bundle, which has small texts under the names of binaries. */
beforeEach(async () => {
  ({ path: directory, remove } = await scratch());
  file = join(directory, 'cluster.yaml');
  bundle = join(directory, 'prod.bundle');
  await writeFile(
    file,
    `metadata: { name: prod }
spec:
  kubernetes: { version: 1.36.3 }
  artifacts: { source: { bundle: prod.bundle } }
  hosts:
    - { name: cp-1, address: 192.0.2.11, roles: [control-plane] }
`,
  );
  const store = createStore({ cacheDirectory: join(directory, 'office'), source: textSource({ kubelet: 'kubelet '.repeat(500_000) }) });
  const locked = await store.resolve(artefactsFor({ kubernetesVersion: '1.36.3', arch: 'amd64' }));
  await writeBundle({ parts: locked.map((entry) => ({ store, locked: entry })), path: bundle });
});
afterEach(() => remove());

async function slipway(...words: string[]): Promise<{ code: number; out: string; err: string }> {
  const io = fakeIo({ interactive: false, env: { XDG_CACHE_HOME: join(directory, 'hall') } });
  const code = await main([...words], io);
  return { code, out: io.out(), err: io.err() };
}

interface Listed {
  artifacts: { name: string; size?: number; digest?: string; locked: boolean; cached: boolean; files: Record<string, string> }[];
}
const listed = async (): Promise<Listed['artifacts']> =>
  (JSON.parse((await slipway('artifacts', 'list', '-f', file, '--arch', 'amd64', '-o', 'json')).out) as Listed).artifacts;

describe('slipway artifacts', () => {
  test('lists what is needed, without asking for anything', async () => {
    await rm(bundle);
    const rows = await listed();
    expect(rows).toHaveLength(14);
    expect(rows.find(({ name }) => name === 'kubelet')).toEqual({
      name: 'kubelet',
      version: '1.36.3',
      arch: 'amd64',
      files: {},
      locked: false,
      cached: false,
    });
    const { out } = await slipway('artifacts', 'list', '-f', file, '--arch', 'amd64,arm64');
    expect(out).toMatch(/^NAME +VERSION +ARCH +SIZE +DIGEST +LOCKED +CACHE$/m);
    expect(out).toMatch(/^kubelet +1\.36\.3 +arm64 +- +- +no +no$/m);
    expect(out).toContain('0 of 28 artefacts of Kubernetes 1.36.3');
  });

  test('fetches all of it, with progress in bytes, and locks what the lock did not know', async () => {
    const { code, out, err } = await slipway('artifacts', 'fetch', '-f', file, '--arch', 'amd64');
    expect([code, out]).toEqual([0, expect.stringMatching(/^kubelet +1\.36\.3 +amd64 +4\.0 MB +[0-9a-f]{12} +yes +yes$/m)]);
    expect(err).toMatch(/^kubelet 1\.36\.3: \d+\.\d of \d+\.\d MB$/m);
    expect(err).toMatch(/^kubelet 1\.36\.3: here$/m);
    // The lock says for which processors from now on.
    const rows = (JSON.parse((await slipway('artifacts', 'list', '-f', file, '-o', 'json')).out) as Listed).artifacts;
    expect(rows.map(({ locked, cached }) => locked && cached)).toEqual(Array(14).fill(true));
    expect(rows.find(({ name }) => name === 'kubelet')).toMatchObject({ size: 4_000_000, digest: expect.stringMatching(/^[0-9a-f]{64}$/) });
  });

  test('refuses bytes that are not locked, and locks them when it is told to', async () => {
    await slipway('artifacts', 'fetch', '-f', file, '--arch', 'amd64');
    const path = join(directory, 'cluster.lock');
    const good = await readFile(path, 'utf8');
    await writeFile(path, good.replace(/(kubelet: )[0-9a-f]{8}/, '$100000000'));
    expect((await listed()).find(({ name }) => name === 'kubelet')).toMatchObject({ locked: true, cached: false });
    expect(await slipway('artifacts', 'fetch', '-f', file)).toMatchObject({
      code: 1,
      err: expect.stringContaining('[ARTIFACT_LOCK_MISMATCH]'),
    });
    expect(await slipway('artifacts', 'lock', '-f', file)).toEqual({
      code: 0,
      out: `changed kubelet 1.36.3 amd64\n${path} has 14 artefacts.\n`,
      err: '',
    });
    expect(await readFile(path, 'utf8')).toBe(good);
    expect((await slipway('artifacts', 'lock', '-f', file)).out).toBe(`${path} has 14 artefacts; nothing changed.\n`);
  });

  test('knows two processors', async () => {
    expect(await slipway('artifacts', 'list', '-f', file, '--arch', 'riscv64')).toMatchObject({
      code: 3,
      err: expect.stringContaining('--arch wants amd64 or arm64, not riscv64 [OPTION_INVALID]'),
    });
    expect(await slipway('artifacts', 'fetch', '-f', file, '--arch', 'arm64')).toMatchObject({
      code: 5,
      err: expect.stringContaining('has nothing for arm64 [ARTIFACT_NOT_IN_BUNDLE]'),
    });
  });
});

describe('slipway bundle verify', () => {
  test('lists what is there', async () => {
    const { code, out } = await slipway('bundle', 'verify', bundle);
    expect([code, out]).toEqual([0, expect.stringMatching(/^etcd +3\.6\.8 +amd64 +3 +[0-9a-f]{12}$/m)]);
    expect(out).toContain('14 artefacts for amd64, no packages, ');
    expect(out).toContain('every byte is as it was written.');
  });

  test('refuses what is damaged, cut short or not there, with one error', async () => {
    const bytes = await readFile(bundle);
    const damaged = Buffer.from(bytes);
    damaged[damaged.length >> 1]! ^= 4;
    for (const content of [damaged, bytes.subarray(0, bytes.length - 1)]) {
      await writeFile(bundle, content);
      const { code, err } = await slipway('bundle', 'verify', bundle);
      expect([code, err.match(/^error /gm), err]).toEqual([3, ['error '], expect.stringContaining('[ARTIFACT_BUNDLE_INVALID]')]);
    }
    expect(await slipway('bundle', 'verify', join(directory, 'no.bundle'))).toMatchObject({
      code: 3,
      err: expect.stringContaining('[ARTIFACT_BUNDLE_MISSING]'),
    });
  });
});

describe('slipway bundle create', () => {
  test('refuses a system whose packages it cannot get', async () => {
    await writeFile(file, (await readFile(file, 'utf8')).replace('prod.bundle', 'new.bundle'));
    expect(await slipway('bundle', 'create', '-f', file, '--arch', 'mips')).toMatchObject({ code: 3 });
    expect(await slipway('bundle', 'create', '-f', file, '--arch', 'amd64', '--system', 'rocky-9')).toMatchObject({
      code: 3,
      err: expect.stringContaining('[BUNDLE_SYSTEM_UNKNOWN]'),
    });
  });
});
