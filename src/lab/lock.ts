import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { execa } from 'execa';
import { SlipwayError } from '../base/errors.ts';

/**
 * Does `work` under an exclusive flock on `file`. The lock belongs to a child that ends with our end of its pipe,
 * so that a killed run holds nothing. With `wait: false` a held lock is LAB_BUSY.
 */
export async function withLock<T>(file: string, options: { wait: boolean; what: string }, work: () => Promise<T>): Promise<T> {
  await mkdir(dirname(file), { recursive: true });
  const busy = 75;
  const holder = execa(
    'flock',
    [...(options.wait ? [] : ['--nonblock']), '--conflict-exit-code', String(busy), file, 'sh', '-c', 'echo held; exec cat'],
    {
      reject: false,
      stdin: 'pipe',
      buffer: false,
    },
  );
  const held = new Promise<boolean>((resolve) => {
    holder.stdout.once('data', () => {
      resolve(true);
    });
    void holder.then(() => {
      resolve(false);
    });
  });
  if (!(await held)) {
    throw new SlipwayError(`another run is at work on ${options.what}`, {
      code: 'LAB_BUSY',
      category: 'locked',
      where: { file },
      hint: 'Wait until it has ended.',
    });
  }
  try {
    return await work();
  } finally {
    holder.stdin.end();
    await holder;
  }
}
