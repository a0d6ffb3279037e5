import { once } from 'node:events';
import { mkdir, readFile } from 'node:fs/promises';
import { constants } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { filesOf } from '../../../src/artifacts/catalogue.ts';
import { buildGo } from '../../../src/artifacts/go/build.ts';
import { recipeOf } from '../../../src/artifacts/go/recipes.ts';
import { goSource } from '../../../src/artifacts/go/source.ts';
import { findToolchain, requireStaticLibraries } from '../../../src/artifacts/go/toolchain.ts';
import { createStore } from '../../../src/artifacts/store.ts';
import type { ArtifactProgress } from '../../../src/artifacts/source.ts';
import { scratch } from './fixture.ts';

/** Builds small modules with the real Go: some seconds, less when its cache knows them. */
const SLOW = 300_000;
const arch = process.arch === 'arm64' ? 'arm64' : 'amd64';

/** Whether a process has a handler for a signal: SigCgt of proc_pid_status(5), a mask in hexadecimal. */
async function catches(pid: number, signal: number): Promise<boolean> {
  const mask = /^SigCgt:\s*([0-9a-f]+)$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))![1]!;
  return (BigInt(`0x${mask}`) & (1n << BigInt(signal - 1))) !== 0n;
}

let directory: string;
let remove: () => Promise<void>;
beforeAll(async () => {
  ({ path: directory, remove } = await scratch());
});
afterAll(() => remove());

describe('building from Go modules', () => {
  test(
    'makes a static binary that knows its version, the same on every build',
    async () => {
      const [plugins] = recipeOf({ name: 'cni-plugins', version: '1.9.1', arch }).go;
      const build = { ...plugins!, packages: { loopback: plugins!.packages['loopback']! } };
      const digests: string[] = [];
      for (const round of ['one', 'two']) {
        const work = join(directory, round);
        await mkdir(work);
        const { loopback } = await buildGo(build, { directory: work, arch, toolchain: await findToolchain(work) });
        digests.push((await execa('sha256sum', [], { inputFile: loopback! })).stdout);
        const { stderr } = await execa(loopback!, [], { input: '', reject: false });
        expect(stderr).toContain('CNI loopback plugin v1.9.1');
      }
      expect(digests[0]).toBe(digests[1]);
    },
    SLOW,
  );

  test(
    'makes the pause image, whose program runs and stops when told to',
    async () => {
      const events: ArtifactProgress[] = [];
      const store = createStore({ cacheDirectory: join(directory, 'cache'), source: goSource() });
      const [image] = await store.resolve([{ name: 'image-pause', version: '3.10.2', arch, files: filesOf('image-pause') }], {
        onProgress: (event) => events.push(event),
      });
      expect(events.map(({ state }) => state)).toEqual(['started', 'finished']);
      expect(image!.source).toMatch(/^go:k8s\.io\/kubernetes@v1\.36\.3 \(cc .+\)$/);

      const unpacked = join(directory, 'pause');
      await mkdir(unpacked);
      await execa('tar', ['-xf', await store.path(image!, 'image-pause.tar'), '-C', unpacked]);
      const json = async (path: string) => JSON.parse((await execa('cat', [join(unpacked, path)])).stdout);
      const index = await json('index.json');
      expect(index.manifests[0].annotations['io.containerd.image.name']).toBe('registry.k8s.io/pause:3.10.2');
      const manifest = await json(`blobs/${index.manifests[0].digest.replace(':', '/')}`);
      expect((await json(`blobs/${manifest.config.digest.replace(':', '/')}`)).config.User).toBe('65535:65535');

      await execa('tar', ['-xf', join(unpacked, `blobs/${manifest.layers[0].digest.replace(':', '/')}`), '-C', unpacked]);
      expect((await execa(join(unpacked, 'pause'), ['-v'])).stdout).toBe('pause.c v3.10.2');
      const running = execa(join(unpacked, 'pause'), { reject: false });
      const [line] = await once(createInterface(running.stderr), 'line');
      expect(line).toContain('pause should be the first process');
      // It says so before it has set what a signal does.
      while (!(await catches(running.pid!, constants.signals.SIGTERM))) await setTimeout(20);
      running.kill('SIGTERM');
      expect((await running).exitCode).toBe(0);
    },
    SLOW,
  );

  test('says what is missing when Go is not installed', async () => {
    const source = goSource({ PATH: directory, HOME: directory });
    const store = createStore({ cacheDirectory: join(directory, 'empty'), source });
    const runc = { name: 'runc', version: '1.5.2', arch, files: ['runc'] } as const;
    await expect(store.resolve([runc])).rejects.toMatchObject({
      code: 'ARTIFACT_TOOL_MISSING',
      message: 'Go is not installed on this machine',
    });
    expect(await store.known([runc])).toEqual([undefined]);
  });

  test('refuses to build modules that nobody vouches for', async () => {
    await expect(findToolchain(directory, { ...process.env, GOSUMDB: 'off' })).rejects.toMatchObject({ code: 'ARTIFACT_GO_SUMDB_OFF' });
  });

  test('names the static library that is missing', async () => {
    await expect(
      requireStaticLibraries('cc', ['slipway-no-such'], { cwd: directory, env: process.env as Record<string, string> }),
    ).rejects.toMatchObject({
      code: 'ARTIFACT_TOOL_MISSING',
      hint: expect.stringContaining('libslipway-no-such-dev'),
    });
  });

  test(
    'says what the compiler said when a build fails',
    async () => {
      const [plugins] = recipeOf({ name: 'cni-plugins', version: '1.9.1', arch }).go;
      const build = { ...plugins!, packages: { absent: `${plugins!.module}/plugins/main/absent` } };
      const work = join(directory, 'absent');
      await mkdir(work);
      await expect(buildGo(build, { directory: work, arch, toolchain: await findToolchain(work) })).rejects.toMatchObject({
        code: 'ARTIFACT_BUILD_FAILED',
        evidence: expect.stringContaining('plugins/main/absent'),
      });
    },
    SLOW,
  );
});
