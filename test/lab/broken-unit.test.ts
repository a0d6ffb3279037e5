import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { testLab, type TestLab } from '../helpers/lab.ts';

describe('an apply whose unit does not come up', () => {
  let lab: TestLab;
  let text: string;
  beforeAll(async () => {
    lab = await testLab('broken', { hosts: 1 });
    text = await readFile(join(lab.directory, 'cluster.yaml'), 'utf8');
  });
  afterAll(() => lab.down());

  test('ends early, with the unit’s own words and what they point to', async () => {
    await writeFile(
      join(lab.directory, 'cluster.yaml'),
      `${text}  components: { kube-apiserver: { args: { max-requests-inflight: many } } }\n`,
    );
    const { exitCode, stderr } = await lab.slipway('apply', '--yes');
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/cp-1: could not wait until the API server is ready/);
    expect(stderr).toContain('it ends again and again');
    expect(stderr).toMatch(/\| +Error: invalid argument "many" for "--max-requests-inflight" flag/);
    expect(stderr).toMatch(/next: its settings cannot be read: look at components\.\*\.args in the cluster file/);
    expect(stderr).toMatch(/run the same command again/);
  });

  test('is finished by the next one, when the cause is mended', async () => {
    await writeFile(join(lab.directory, 'cluster.yaml'), text);
    await lab.ok('apply', '--yes');
    expect((await lab.slipway('plan', '--detailed-exitcode')).exitCode).toBe(0);
  });
});
