import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { openState } from '../../../src/pki/state.ts';
import type { Inventory } from '../../../src/pki/types.ts';
import { spec } from '../../unit/pki/specs.ts';
import { compileRooms } from './compile.ts';

const run = promisify(execFile);
const writer = join(import.meta.dirname, 'writer.mjs');
let parent: string;
let rooms: string;
let directory: string;

beforeAll(async () => {
  parent = await mkdtemp(join(tmpdir(), 'slipway-interruption-'));
  rooms = join(parent, 'rooms');
  await mkdir(rooms);
  await compileRooms(['base', 'pki'], rooms);
});

afterAll(() => rm(parent, { recursive: true }));

beforeEach(async () => {
  directory = join(await mkdtemp(join(parent, 'run-')), 'prod.state');
});

function start(mode: string, argument = ''): ChildProcess {
  return spawn(process.execPath, [writer, rooms, directory, mode, argument], { stdio: ['ignore', 'pipe', 'inherit'] });
}

async function finished(child: ChildProcess): Promise<string> {
  const [, signal] = (await once(child, 'close')) as [number | null, string | null];
  return signal ?? String(child.exitCode);
}

/** Does what is left to do, as the same command run again would, and returns the inventory that the first run had left. */
async function runAgain(): Promise<{ left: Inventory; now: Inventory }> {
  const state = await openState(directory, { cluster: 'prod' });
  const left = state.inventory();
  try {
    await state.createAuthority('etcd');
    await state.createSecret('encryption-key');
    await state.issue('cp-1', spec({ name: 'etcd-peer', authority: 'etcd' }));
  } finally {
    await state.close();
  }
  return { left, now: (await openState(directory, { cluster: 'prod' })).inventory() };
}

async function expectNothingLeftBehind(): Promise<void> {
  const names = await readdir(directory, { recursive: true });
  expect(names.sort()).toEqual([
    '.gitignore',
    'authorities',
    'authorities/etcd.1.crt',
    'authorities/etcd.1.key',
    'inventory.json',
    'lock',
    'secrets',
    'secrets/encryption-key.1',
  ]);
}

describe('a process killed while it writes', () => {
  test('at any operation leaves a directory that the next one completes, keeping what was recorded', async () => {
    const whole = await run(process.execPath, [writer, rooms, directory, 'fill', 'Infinity']);
    const operations = Number(whole.stdout);
    expect(operations).toBeGreaterThan(60);
    const parentOf = join(directory, '..');
    // Each file takes nine operations: a stride of five meets all nine of them, at one file or another.
    for (let killAt = 1; killAt <= operations; killAt += 5) {
      directory = join(parentOf, `at-${killAt}`, 'prod.state');
      await mkdir(join(directory, '..'));
      expect({ killAt, end: await finished(start('fill', String(killAt))) }).toEqual({ killAt, end: 'SIGKILL' });
      const { left, now } = await runAgain();
      expect(now.authorities).toMatchObject(left.authorities);
      expect(now.secrets).toMatchObject(left.secrets);
      await expectNothingLeftBehind();
    }
  });

  test('lets go of the lock by dying', async () => {
    const holder = start('hold');
    await once(holder.stdout!, 'data');
    const second = await openState(directory, { cluster: 'prod' });
    await expect(second.lock()).rejects.toMatchObject({
      code: 'STATE_LOCKED',
      message: expect.stringContaining(`process ${holder.pid} on `),
    });
    holder.kill('SIGKILL');
    await once(holder, 'close');
    await second.lock();
    await second.close();
    expect(await readdir(join(directory, 'lock'))).toEqual([]);
  });
});

test('processes that want to write at once do so one after the other', async () => {
  const counter = join(directory, '..', 'counter');
  await writeFile(counter, '0');
  const ends = await Promise.all(Array.from({ length: 8 }, () => finished(start('count', counter))));
  expect(ends).toEqual(Array.from({ length: 8 }, () => '0'));
  expect(await readFile(counter, 'utf8')).toBe('8');
});

describe('a full disk', () => {
  test('is an error, and the same command completes once there is room', async () => {
    const disk = join(directory, '..', 'disk');
    await mkdir(disk);
    directory = join(disk, 'prod.state');
    let failures = 0;
    // Every file takes a page, so each size fails at another one.
    for (let pages = 2; pages <= 12; pages++) {
      await run('mount', ['-t', 'tmpfs', '-o', `size=${pages * 4096},mode=700`, 'slipway-test', disk]);
      try {
        const outcome = await runAgain().catch((error: NodeJS.ErrnoException) => error.code);
        if (outcome === 'ENOSPC') failures++;
        await run('mount', ['-o', 'remount,size=1m', disk]);
        await runAgain();
        await expectNothingLeftBehind();
      } finally {
        await run('umount', [disk]);
      }
    }
    expect(failures).toBeGreaterThan(2);
  });
});
