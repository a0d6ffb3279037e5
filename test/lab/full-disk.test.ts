import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { errorsIn, watchedApply } from '../helpers/apply.ts';
import { testLab, type TestLab } from '../helpers/lab.ts';
import { converged, delivered } from '../helpers/scenarios.ts';

describe('an install onto file systems that become full', () => {
  let lab: TestLab;
  beforeAll(async () => {
    lab = await testLab('full-disk', { hosts: 1 });
    const file = join(lab.directory, 'cluster.yaml');
    await writeFile(file, (await readFile(file, 'utf8')).replace('[control-plane, etcd]', '[control-plane, etcd, worker]'));
    // Of different sizes, or they would be taken for one.
    for (const [directory, size] of Object.entries({ '/opt': '50M', '/var/lib/etcd': '60M' }))
      await lab.on('cp-1', `mkdir -p ${directory} && mount -t tmpfs -o size=${size},mode=0755 tmpfs ${directory}`);
  });
  afterAll(() => lab.down());

  const roomy = (directory: string, size: string): Promise<string> => lab.on('cp-1', `mount -o remount,size=${size} ${directory}`);
  /** What is in use now and so many bytes more is all that there is. */
  const full = (directory: string, more: number): Promise<string> =>
    lab.on(
      'cp-1',
      `until mount -o remount,size=$(( $(df --output=used -B1 ${directory} | tail -n 1) + ${more} )) ${directory} 2>/dev/null; do :; done`,
    );

  test('is refused before any change where they are full already', async () => {
    const { exitCode, stderr } = await lab.slipway('apply', '--yes');
    expect(exitCode).toBe(5);
    expect(stderr).toMatch(/cp-1.* free for \/opt/);
    expect(stderr).toMatch(/cp-1.* free for \/var\/lib\/etcd/);
    expect(await lab.on('cp-1', 'ls -A /opt /var/lib/etcd')).toBe('/opt:\n\n/var/lib/etcd:');
    await roomy('/opt', '20G');
    await roomy('/var/lib/etcd', '21G');
  });

  test('ends with one error that names /opt, with nothing half-written', async () => {
    let archives = 3;
    const { exitCode, stderr } = await watchedApply(lab, async (event) => {
      // The checks have passed. This one is for the next test; etcd must not have begun to write before.
      if (event.code === 'plan.made') await full('/var/lib/etcd', 1_000_000);
      if (event.code === 'step.done' && event.step.kind === 'artefact' && --archives === 0) await full('/opt', 1_000_000);
    });
    expect({ errors: errorsIn(stderr), stderr }).toEqual({
      errors: [expect.stringMatching(/cp-1: could not deliver \S+ \S+: no space left in \/opt\/slipway.* \[DISK_FULL\]$/)],
      stderr,
    });
    expect(stderr).toContain('next: make room on cp-1');
    expect(exitCode).toBe(1);
    expect(await lab.on('cp-1', 'ls -A /opt/slipway/.incoming; find /opt -name "*.slipway-new" -o -name new -o -name "*.old"')).toBe('');
    await roomy('/opt', '20G');
  });

  test('sends again what did not arrive whole, and ends with one error that names /var/lib/etcd', async () => {
    const whole = await delivered(lab);
    let [planned, sent] = [0, 0];
    const { exitCode, stderr } = await watchedApply(lab, (event) => {
      if (event.code === 'step.done' && event.step.kind === 'artefact') sent++;
      if (event.code === 'plan.made') planned = event.plan.steps.filter(({ action }) => action.kind === 'artefact').length;
    });
    expect(planned).toBeGreaterThan(0);
    expect(sent).toBe(planned);
    expect(await delivered(lab)).toEqual(expect.arrayContaining(whole));
    expect({ errors: errorsIn(stderr), stderr }).toEqual({
      errors: [expect.stringMatching(/cp-1.*no space left in \/var\/lib\/etcd\S* \[DISK_FULL\]$/)],
      stderr,
    });
    expect(stderr).toContain('next: make room on cp-1');
    expect(exitCode).toBe(1);
    await roomy('/var/lib/etcd', '21G');
  });

  test('is finished by the next run once there is room', async () => {
    await converged(lab);
  });
});
