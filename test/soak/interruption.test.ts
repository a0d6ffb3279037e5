import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { badLines, reset, silentFaults, truncation, type BadLines, type Blow } from '../helpers/bad-lines.ts';
import { testLab, type TestLab } from '../helpers/lab.ts';
import { converged, delivered, killed, struck } from '../helpers/scenarios.ts';
import { seeded } from '../helpers/seed.ts';

/** Installs that nothing disturbs, each on a fresh lab, to compare with: what a lab of these hosts amounts to does not depend on the run. */
describe('an install on fresh hosts', () => {
  const random = seeded('soak: interruption');
  let lab: TestLab;
  let lines: BadLines;
  let undisturbed: Record<string, string>;
  const fresh = async (): Promise<void> => {
    lab = await testLab('soak', { hosts: 2 });
    lines = await badLines(lab);
  };
  const blow = (): Blow => ({ host: random.pick(lines.hosts), at: random.below(1000) / 1000 });
  const gone = async (): Promise<void> => {
    await lines.close();
    await lab.down();
  };
  beforeAll(async () => {
    await fresh();
    undisturbed = await converged(lab);
    await gone();
    await fresh();
  });
  afterAll(gone);

  test('killed twenty times becomes what an undisturbed one becomes', async () => {
    await killed(
      lab,
      Array.from({ length: 20 }, () => 1 + random.below(30)),
    );
    expect(await converged(lab)).toEqual(undisturbed);
  });

  test.each(silentFaults.map((fault) => ({ fault, name: fault.name })))(
    'cut, reset three times and $name twice becomes what an undisturbed one becomes',
    async ({ fault }) => {
      await gone();
      await fresh();
      await struck(lines, truncation, blow());
      const whole = await delivered(lab);
      for (const next of [reset, fault, reset, fault, reset]) await struck(lines, next, blow());
      expect(await converged(lab)).toEqual(undisturbed);
      expect(await delivered(lab)).toEqual(expect.arrayContaining(whole));
    },
  );
});
