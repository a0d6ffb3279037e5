import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { SlipwayError } from '../../../src/base/errors.ts';
import { debtText, readDebts, settleDebts } from '../../../src/cli/owed.ts';
import { contextOf } from '../phases/context.ts';

describe('what hosts are owed that did not answer', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'slipway-owed-'));
  });
  afterEach(() => rm(directory, { recursive: true }));

  const base = contextOf('');
  const day = (n: number): number => Date.UTC(2026, 10, n);
  async function run(skipped: readonly string[], now: number): Promise<Record<string, string>> {
    const hosts = base.cluster.hosts.filter(({ name }) => skipped.includes(name));
    const error = new SlipwayError('nobody there', { code: 'REMOTE_UNREACHABLE', category: 'unreachable' });
    const limit = base.cluster.hosts.map(({ name }) => name).filter((name) => !skipped.includes(name));
    const context = { ...base, now, limit, skipped: hosts.map((host) => ({ host, error })) };
    await settleDebts(directory, { context, cluster: base.cluster, verb: 'slipway apply' });
    return Object.fromEntries(Object.entries(await readDebts(directory)).map(([name, debt]) => [name, debtText(debt)]));
  }

  test('is remembered since the first run that went on without them, and forgotten when one reaches them', async () => {
    expect(await run([], day(1))).toEqual({});
    expect(await run(['w-1', 'w-2'], day(2))).toEqual({
      'w-1': 'since 2026-11-02 (slipway apply: nobody there)',
      'w-2': 'since 2026-11-02 (slipway apply: nobody there)',
    });
    expect(await run(['w-2'], day(3))).toEqual({ 'w-2': 'since 2026-11-02 (slipway apply: nobody there)' });
    expect(await run([], day(4))).toEqual({});
  });

  test('is nothing that others wrote there', async () => {
    const file = join(directory, 'owed.json');
    await writeFile(file, '{ "w-1": true }');
    await expect(readDebts(directory)).rejects.toMatchObject({ code: 'STATE_DAMAGED', where: { file } });
    expect(await readFile(file, 'utf8')).toBe('{ "w-1": true }');
  });
});
