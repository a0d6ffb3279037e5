import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { badLines, reset, silentFaults, truncation, type BadLines } from '../helpers/bad-lines.ts';
import { installedLab } from '../helpers/installed-lab.ts';
import { slipwayBin, testLab, type TestLab } from '../helpers/lab.ts';
import { resultOf } from '../helpers/result.ts';
import { converged, delivered, struck } from '../helpers/scenarios.ts';
import { openTerminal } from '../integration/init/terminal.ts';

describe('an install over lines that break', () => {
  let lab: TestLab;
  let lines: BadLines;
  const silent = silentFaults.find(({ name }) => name === 'half-open, deaf towards us')!;
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
    await struck(lines, truncation, { host: 'w-1', at: 0.35 });
    whole = await delivered(lab);
  });

  test('at a terminal: the display ends, and the error names the host and what was under way', async () => {
    const file = join(lab.directory, 'cluster.yaml');
    const terminal = await openTerminal(
      [process.execPath, slipwayBin, 'apply', '-f', file, '--yes'],
      { ...lab.env, TERM: 'screen' },
      300_000,
    );
    try {
      // The first host that the display shows at work has most left to do.
      const atWork = /^ +(?:› )?(cp-1|w-1): /m;
      const host = atWork.exec(await terminal.until(atWork))![1]!;
      lines.of(host).reset();
      const screen = await terminal.until(/exit code \d+/);
      expect(screen).toMatch(new RegExp(`✖ .*\\n +› ${host}: the connection to ${host} was lost`));
      expect(screen).toMatch(new RegExp(`error the connection to ${host} was lost.*, (in the middle of|before it began to): `));
      expect(screen).toContain('[REMOTE_CONNECTION_LOST]');
      expect(screen).toContain('exit code 1');
      expect(screen).not.toMatch(/TypeError|\[BUG\]|done in/i);
    } finally {
      await terminal.close();
      lines.heal();
    }
  });

  test(`${silent.name}: one error that names the host, in bounded time`, async () => {
    await struck(lines, silent, { host: 'cp-1', at: 0.4 });
  });

  test('by a reset: one error that names the host, or it goes on', async () => {
    await struck(lines, reset, { host: 'w-1', at: 0.6 });
  });

  test('is finished by the next run, with the result of an undisturbed one; what had arrived whole was whole', async () => {
    const disturbed = await converged(lab);
    expect(await delivered(lab)).toEqual(expect.arrayContaining(whole));

    await lines.close();
    await lab.down();
    lab = await installedLab('pair');
    lines = await badLines(lab);
    expect(await resultOf(lab)).toEqual(disturbed);
  });
});
