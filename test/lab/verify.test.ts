import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { packageRoot } from '../../src/base/package-root.ts';
import { breakages, named, verify } from '../helpers/breakages.ts';
import { testLab, type TestLab } from '../helpers/lab.ts';
import { seeded } from '../helpers/seed.ts';

let lab: TestLab;
const random = seeded('breakages');

beforeAll(async () => {
  lab = await testLab('verify');
  await lab.ok('apply', '--yes');
}, 600_000);

afterAll(async () => {
  await lab.down();
});

/** Waits until namespaces that are being deleted are gone; then whatever else of a verification is there stays. */
async function leftBehind(): Promise<string> {
  await lab.kubectl('wait --for=delete namespaces -l slipway.dev/verify --timeout=60s || :');
  const objects = await lab.kubectl('get namespaces,pods -A -o name');
  const files = await lab.everywhere('find /run/slipway -name "verify.??????"');
  return [...objects.split('\n').filter((name) => /slipway-verify|echo-/.test(name)), ...Object.values(files)]
    .filter((line) => line !== '')
    .join('\n');
}

describe('verify', () => {
  test('passes on a new cluster, and writes what it found as JSON and as JUnit XML', async () => {
    const { stdout } = await lab.ok('verify', '--report', 'verify.xml');
    expect(stdout).toMatch(/^t-verify-\w+: \d+ passed \(/m);
    const xml = await readFile(join(lab.directory, 'verify.xml'), 'utf8');
    expect(xml).toMatch(/<testsuites name="slipway verify" tests="\d+" failures="0"/);
    const { exitCode, report } = await verify(lab, '--deep');
    expect(exitCode).toBe(0);
    expect(report.checks.filter(({ ok }) => ok !== 'pass')).toEqual([]);
    expect(report.checks.find(({ id }) => id === 'pod-network')).toMatchObject({
      data: { pairs: expect.arrayContaining([{ from: 'w-1', to: 'w-2', ok: true }]) },
    });
  }, 300_000);

  // The others take their turn with other commits; all of them are in the soak tests.
  test.each(random.some(breakages, 3))('names $name', (breakage) => named(lab, breakage), 300_000);

  test('finds everything well again after apply', async () => {
    await lab.ok('apply', '--yes');
    const { failed } = await verify(lab);
    expect(failed).toEqual({});
  }, 300_000);

  test('leaves nothing behind, in the cluster and on the hosts', async () => {
    expect(await leftBehind()).toBe('');
  }, 300_000);

  test.each([
    ['interrupted', 'SIGINT'],
    ['killed', 'SIGKILL'],
  ] as const)(
    'leaves nothing behind when it is %s',
    async (_, signal) => {
      const running = execa(process.execPath, [join(packageRoot(), 'bin/slipway.js'), 'verify'], {
        cwd: lab.directory,
        reject: false,
        stdin: 'ignore',
      });
      const kubectl = '/opt/slipway/bin/kubectl --kubeconfig=/etc/kubernetes/super-admin.conf';
      await lab.on('cp-1', `until ${kubectl} get namespaces -l slipway.dev/verify -o name | grep -q .; do sleep 0.2; done`);
      running.kill(signal);
      const { exitCode } = await running;
      if (signal === 'SIGINT') expect(exitCode).toBe(130);
      await lab.on('cp-1', `until [ -z "$(find /run/slipway -name 'verify.??????')" ]; do sleep 0.2; done`);
      expect(await leftBehind()).toBe('');
    },
    300_000,
  );

  test('leaves no container behind: the kubelets collect them', async () => {
    await lab.everywhere('timeout 150 sh -c "while /opt/slipway/bin/ctr -n k8s.io containers ls | grep agnhost; do sleep 1; done"');
  }, 300_000);
});
