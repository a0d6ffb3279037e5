import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { breakages, named, verify } from '../helpers/breakages.ts';
import { installedLab } from '../helpers/installed-lab.ts';
import type { TestLab } from '../helpers/lab.ts';

let lab: TestLab;
beforeAll(async () => {
  lab = await installedLab('trio');
});
afterAll(() => lab.down());

test.each(breakages)('verify names $name, and apply mends what is left of it', async (breakage) => {
  await named(lab, breakage);
  await lab.ok('apply', '--yes');
  expect((await verify(lab)).failed).toEqual({});
});
