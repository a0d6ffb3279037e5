import { copyFile, mkdtemp, open, readFile, rename, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { writeBundle } from '../../src/artifacts/bundle.ts';
import { createStore } from '../../src/artifacts/store.ts';
import { labStatus, type Refused } from '../../src/lab/index.ts';
import { textSource, tool } from '../integration/artifacts/fixture.ts';
import { slipwayIn, testLab, TOUCHED, type Finished, type TestLab } from '../helpers/lab.ts';

let lab: TestLab;
/** Nothing but the bundle can be the source of what is in it. */
let cache: string;
let bundle: string;

beforeAll(async () => {
  lab = await testLab('offline', { hosts: 2, flags: ['--offline', '--release', 'bookworm', '--release', 'trixie'] });
  cache = await mkdtemp(join(tmpdir(), 'slipway-offline-cache-'));
  bundle = join(lab.directory, 'hall.bundle');
  const file = join(lab.directory, 'cluster.yaml');
  await writeFile(file, `${await readFile(file, 'utf8')}  artifacts: { source: { bundle: hall.bundle } }\n`);
});
afterAll(async () => {
  await lab?.down();
  await rm(cache, { recursive: true, force: true });
});

/** With an empty cache of its own. */
const inTheHall = (...args: string[]): Promise<Finished> => slipwayIn(lab.directory, args, { env: { XDG_CACHE_HOME: cache } });

async function refused(): Promise<Refused[]> {
  return (await labStatus({ name: lab.name }))[0]!.refused;
}

describe('hosts without a way out', () => {
  /** What was counted before the installation began. */
  let before: Refused[];

  test('are refused whatever they want outside or of this machine, and every packet is counted', async () => {
    expect(await refused()).toEqual([]);
    const [first] = (await labStatus({ name: lab.name }))[0]!.hosts;
    const machine = first!.address.replace(/\d+$/, '1');
    for (const [address, port] of [
      ['198.51.100.1', 80],
      ['198.51.100.1', 53],
      [machine, 22],
    ] as const)
      expect(await lab.on('cp-1', `(exec 3<>/dev/tcp/${address}/${port}) 2>/dev/null && echo connected || echo refused`)).toBe('refused');
    expect((await refused()).map(({ protocol, port }) => [protocol, port])).toEqual([
      ['tcp', 53],
      ['tcp', undefined],
    ]);
    before = await refused();
  });

  test('tell the machine that makes their bundle what they are', async () => {
    const { stdout } = await lab.ok('bundle', 'create');
    expect(stdout).toMatch(/hall\.bundle: 14 artefacts for (amd64|arm64), packages of debian-12, debian-13, \d+\.\d MB/);
    const { stdout: listed } = await inTheHall('bundle', 'verify', bundle, '-o', 'json');
    const { artifacts, members } = JSON.parse(listed) as { artifacts: { name: string; files: object }[]; members: { sha256: string }[] };
    expect(artifacts).toHaveLength(16);
    expect(members.map(({ sha256 }) => sha256.length)).toEqual(Array(16).fill(64));
    for (const system of ['debian-12', 'debian-13'])
      expect(Object.keys(artifacts.find(({ name }) => name === `packages-${system}`)!.files)).toContain('haproxy.deb');
  });

  describe('are not touched by a bundle that', () => {
    const good = (): string => `${bundle}.good`;
    beforeAll(async () => {
      await rename(bundle, good());
      await lab.everywhere('touch /run/mark');
    });
    afterAll(() => rename(good(), bundle));

    /** What a person sees, once it is certain that no host was changed. */
    async function refusal(): Promise<[code: number, error: string]> {
      const { exitCode, stderr } = await inTheHall('apply', '--yes');
      expect(Object.values(await lab.everywhere(TOUCHED)).join('')).toBe('');
      return [exitCode, stderr];
    }

    test('has one byte that is another', async () => {
      await copyFile(good(), bundle);
      const file = await open(bundle, 'r+');
      const at = Math.floor((await stat(bundle)).size / 2);
      const byte = Buffer.alloc(1);
      await file.read(byte, 0, 1, at);
      await file.write(Buffer.from([byte[0]! ^ 1]), 0, 1, at);
      await file.close();
      expect(await refusal()).toEqual([3, expect.stringContaining('is not a whole bundle [ARTIFACT_BUNDLE_INVALID]')]);
      expect((await inTheHall('bundle', 'verify', bundle)).exitCode).toBe(3);
    });

    test('was cut short', async () => {
      await copyFile(good(), bundle);
      await truncate(bundle, (await stat(bundle)).size - 4096);
      expect(await refusal()).toEqual([3, expect.stringMatching(/is not a whole bundle \[ARTIFACT_BUNDLE_INVALID\][^]*should have \d+/)]);
    });

    test('is for other processors', async () => {
      const store = createStore({ cacheDirectory: join(cache, 'other'), source: textSource({}) });
      const [locked] = await store.resolve([tool]);
      await writeBundle({ parts: [{ store, locked: { ...locked!, arch: process.arch === 'arm64' ? 'amd64' : 'arm64' } }], path: bundle });
      expect(await refusal()).toEqual([5, expect.stringMatching(/has nothing for \w+ \[ARTIFACT_NOT_IN_BUNDLE\]/)]);
    });

    test('is not what cluster.lock says', async () => {
      await copyFile(good(), bundle);
      const path = join(lab.directory, 'cluster.lock');
      const lock = await readFile(path, 'utf8');
      await writeFile(path, lock.replace(/(kubelet: )[0-9a-f]{8}/, '$100000000'));
      expect(await refusal()).toEqual([1, expect.stringMatching(/kubelet .* is not what .*cluster\.lock says \[ARTIFACT_LOCK_MISMATCH\]/)]);
      await writeFile(path, lock);
    });

    test('is not there', async () => {
      await rm(bundle);
      expect(await refusal()).toEqual([3, expect.stringContaining('[ARTIFACT_BUNDLE_MISSING]')]);
    });
  });

  test('become a verified cluster, and try to connect to nothing', async () => {
    const { exitCode, stderr } = await inTheHall('apply', '--yes');
    expect([exitCode, stderr]).toEqual([0, expect.stringContaining('slipway kubeconfig')]);
    const { stdout } = await inTheHall('verify', '-o', 'json');
    const report = JSON.parse(stdout) as { ok: boolean; checks: { ok: string; id: string }[] };
    expect(report.checks.filter(({ ok }) => ok === 'fail')).toEqual([]);
    expect(report.ok).toBe(true);
    expect(await refused()).toEqual(before);
  });

  test('have the package from the bundle, under our unit alone, and what it brought along goes with it', async () => {
    for (const host of ['cp-1', 'w-1']) {
      expect(await lab.on(host, 'systemctl is-enabled haproxy.service || :')).toBe('disabled');
      expect(await lab.on(host, 'systemctl is-active api-endpoint.service')).toBe('active');
      expect(await lab.on(host, 'apt-get -s autoremove | grep -c ^Remv || :')).toBe('0');
      expect(await lab.on(host, 'apt-get -s remove --autoremove haproxy | grep ^Remv')).toMatch(/Remv haproxy[^]*Remv liblua/);
    }
  });

  test('are left alone by the next run, which needs the bundle no more', async () => {
    await rm(bundle);
    const { exitCode, stderr } = await inTheHall('apply', '--yes');
    expect([exitCode, stderr]).toEqual([0, expect.stringContaining('Nothing to change')]);
    expect(await refused()).toEqual(before);
  });
});
