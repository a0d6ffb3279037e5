import { mkdir, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { execa } from 'execa';
import { SlipwayError, bug, isSlipwayError } from '../base/errors.ts';
import { searchPath } from './command.ts';

export interface LockOptions {
  /** Wait for another holder to end; otherwise a held lock is LAB_BUSY. */
  wait: boolean;
  /** What is locked, for the message. */
  what: string;
}

const busy = 75;

/** Does `work` under an exclusive flock on `file`, which is removed afterwards. A killed run holds nothing. */
export async function withLock<T>(file: string, options: LockOptions, work: () => Promise<T>): Promise<T> {
  const release = await acquire(file, options);
  try {
    return await work();
  } finally {
    await rm(file, { force: true });
    await release();
  }
}

/** The same, unless another run is at work there: then nothing is done. */
export async function unlessBusy(file: string, work: () => Promise<void>): Promise<void> {
  try {
    await withLock(file, { wait: false, what: file }, work);
  } catch (error) {
    if (!isSlipwayError(error) || error.code !== 'LAB_BUSY') throw error;
  }
}

async function acquire(file: string, options: LockOptions): Promise<() => Promise<void>> {
  for (let tries = 0; tries < 100; tries += 1) {
    await mkdir(dirname(file), { recursive: true });
    const lock = await hold(file, options.wait);
    if (typeof lock === 'function') return lock;
    if (lock === 'stale') continue;
    throw new SlipwayError(`another run is at work on ${options.what}`, {
      code: 'LAB_BUSY',
      category: 'locked',
      where: { file },
      hint: 'Wait until it has ended.',
    });
  }
  throw bug(`the lock ${file} cannot be taken`);
}

/**
 * The lock belongs to a child that ends with our end of its pipe. Whoever waited for a file that its holder removed has locked nothing:
 * the child sees that the name is no longer the file that it holds.
 */
async function hold(file: string, wait: boolean): Promise<'busy' | 'stale' | (() => Promise<void>)> {
  const script = '[ /proc/self/fd/3 -ef "$0" ] || exit 1; echo held; exec cat';
  const options = [...(wait ? [] : ['--nonblock']), '--conflict-exit-code', String(busy)];
  // Descriptor 3 is opened by the outer shell, so that its number is known.
  const child = execa('sh', ['-c', 'exec 3<>"$1"; shift; flock "$@" 3 || exit; exec sh -c "$SCRIPT" "$FILE"', 'lock', file, ...options], {
    reject: false,
    stdin: 'pipe',
    buffer: false,
    env: { SCRIPT: script, FILE: file, PATH: searchPath() },
  });
  const held = await new Promise<boolean>((resolve) => {
    child.stdout.once('data', () => {
      resolve(true);
    });
    void child.then(() => {
      resolve(false);
    });
  });
  if (!held) return (await child).exitCode === busy ? 'busy' : 'stale';
  return async () => {
    child.stdin.end();
    await child;
  };
}
