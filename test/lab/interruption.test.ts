import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { powerOff, powerOn } from '../../src/lab/index.ts';
import { applyUntil } from '../helpers/apply.ts';
import { testLab, type Finished, type TestLab } from '../helpers/lab.ts';
import { resultOf } from '../helpers/result.ts';
import { converged, killed } from '../helpers/scenarios.ts';
import { seeded } from '../helpers/seed.ts';

describe('an install that is interrupted again and again', () => {
  let lab: TestLab;
  const random = seeded('interruption');
  beforeAll(async () => {
    lab = await testLab('interruption', { hosts: 2 });
  });
  afterAll(() => lab.down());

  test('by SIGKILL, three times, and by a power loss: the next run finishes it, and then there is nothing left to do', async () => {
    await killed(lab, [220, 80, 40], random);
    const outcome = await applyUntil(lab, 1 + random.below(10), () => powerOff({ name: lab.name, host: 'w-1' }));
    await powerOn({ name: lab.name, host: 'w-1' });
    if (outcome.exitCode !== 0) expect(outcome.stderr).toContain('w-1');
    const interrupted = await converged(lab);

    await lab.ok('lab', 'down', '--name', lab.name);
    await lab.down();
    lab = await testLab('interruption', { hosts: 2 });
    await lab.ok('apply', '--yes');
    expect(await resultOf(lab)).toEqual(interrupted);
  });

  test('by Ctrl-C: the running steps are finished, the locks released, exit 130', async () => {
    await lab.down();
    lab = await testLab('interruption', { hosts: 2 });
    const { exitCode, stderr } = await applyUntil(lab, 5, (process) => process.kill('SIGINT'));
    expect(exitCode).toBe(130);
    expect(stderr).toContain('run the same command again');
    const held = await lab.everywhere('flock -n /run/slipway/lock true && flock -n /run/slipway/steps true && echo free');
    expect(Object.values(held)).toEqual(['free', 'free']);
  });

  test('by a second operator: told who holds what since when, exit 6', async () => {
    let second: Finished | undefined;
    await applyUntil(lab, 3, async (process) => {
      second = await lab.slipway('apply', '--yes');
      process.kill('SIGKILL');
    });
    expect(second?.exitCode).toBe(6);
    expect(second?.stderr).toMatch(/@.* runs "slipway apply" since \d{4}-/);
  });
});
