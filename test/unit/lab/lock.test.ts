import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { withLock } from '../../../src/lab/lock.ts';

let directory: string;
let file: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'slipway-lock-'));
  file = join(directory, 'a.lock');
});

afterEach(async () => {
  await rm(directory, { recursive: true });
});

describe('a lock', () => {
  test('lets one in at a time, although its file is removed by each', async () => {
    let inside = 0;
    let most = 0;
    const done = await Promise.all(
      Array.from({ length: 6 }, (_, i) =>
        withLock(file, { wait: true, what: 'a test' }, async () => {
          inside += 1;
          most = Math.max(most, inside);
          await new Promise((resolve) => setImmediate(resolve));
          inside -= 1;
          return i;
        }),
      ),
    );
    expect(done).toEqual([0, 1, 2, 3, 4, 5]);
    expect(most).toBe(1);
    expect(existsSync(file)).toBe(false);
  });

  test('that is held is an error for whoever does not wait', async () => {
    await withLock(file, { wait: false, what: 'a test' }, async () => {
      await expect(withLock(file, { wait: false, what: 'lab "x"' }, () => Promise.resolve())).rejects.toMatchObject({
        code: 'LAB_BUSY',
        category: 'locked',
        message: 'another run is at work on lab "x"',
      });
    });
  });

  test('is released when the work fails', async () => {
    await expect(withLock(file, { wait: false, what: 'a test' }, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    await expect(withLock(file, { wait: false, what: 'a test' }, () => Promise.resolve('in'))).resolves.toBe('in');
  });
});
