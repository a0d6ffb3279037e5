import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { powerOff, powerOn } from '../../src/lab/index.ts';
import { applyUntil } from '../helpers/apply.ts';
import { installedLab } from '../helpers/installed-lab.ts';
import { slipwayIn, testLab, type Finished, type TestLab } from '../helpers/lab.ts';
import { resultOf } from '../helpers/result.ts';
import { converged, killed } from '../helpers/scenarios.ts';

describe('an install that is interrupted again and again', () => {
  let lab: TestLab;
  beforeAll(async () => {
    lab = await testLab('interruption', { hosts: 2 });
  });
  afterAll(() => lab.down());

  test('by SIGKILL, three times, and by a power loss: the next run finishes it, and then there is nothing left to do', async () => {
    await killed(lab, [97, 41, 17]);
    const outcome = await applyUntil(lab, 6, () => powerOff({ name: lab.name, host: 'w-1' }));
    await powerOn({ name: lab.name, host: 'w-1' });
    if (outcome.exitCode !== 0) expect(outcome.stderr).toContain('w-1');
    const interrupted = await converged(lab);

    await lab.down();
    lab = await installedLab('pair');
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

  test('by a sleep of minutes: a second operator takes over, and the run that wakes up does nothing more and says why', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'slipway-second-'));
    const second = async (...words: string[]): Promise<Finished> => {
      const finished = await slipwayIn(directory, words);
      expect([words, finished.exitCode, finished.stderr]).toEqual([words, 0, finished.stderr]);
      return finished;
    };
    const first = await applyUntil(lab, 20, async (process) => {
      process.kill('SIGSTOP');
      await cp(lab.directory, directory, { recursive: true });
      await rm(join(directory, `${lab.name}.state/lock`), { recursive: true, force: true });
      // Whoever has missed a heartbeat is waited for: its locks lapse a minute after the last one.
      await lab.everywhere('until [ $(($(date +%s) - $(stat -c %Y /run/slipway/beat))) -ge 25 ]; do sleep 1; done');
      await second('apply', '--yes');
      process.kill('SIGCONT');
    });
    expect([first.exitCode, first.stderr]).toEqual([1, expect.stringMatching(/another run has taken (cp-1|w-1) over/)]);
    expect((await second('apply', '--yes')).stderr).toContain('Nothing to change');
    await second('verify');
    await rm(directory, { recursive: true });
  });
});
