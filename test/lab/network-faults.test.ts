import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { badLines, reset, silentFaults, truncation, type BadLines } from '../helpers/bad-lines.ts';
import { testLab, type TestLab } from '../helpers/lab.ts';
import { converged, delivered, struck } from '../helpers/scenarios.ts';
import { seeded } from '../helpers/seed.ts';

describe('an install over lines that break', () => {
  let lab: TestLab;
  let lines: BadLines;
  const random = seeded('network faults');
  const silent = random.pick(silentFaults);
  beforeAll(async () => {
    lab = await testLab('network', { hosts: 2 });
    lines = await badLines(lab);
  });
  afterAll(async () => {
    await lines.close();
    await lab.down();
  });

  let whole: string[];
  test('in the middle of an upload: one error that names the host', async () => {
    await struck(lines, truncation, random);
    whole = await delivered(lab);
  });

  test(`${silent.name}: one error that names the host, in bounded time`, async () => {
    await struck(lines, silent, random);
  });

  test('by a reset: one error that names the host, or it goes on', async () => {
    await struck(lines, reset, random);
  });

  test('is finished by the next run, with the result of an undisturbed one; what had arrived whole was whole', async () => {
    const disturbed = await converged(lab);
    expect(await delivered(lab)).toEqual(expect.arrayContaining(whole));

    await lines.close();
    await lab.down();
    lab = await testLab('network', { hosts: 2 });
    lines = await badLines(lab);
    expect(await converged(lab)).toEqual(disturbed);
  });
});
