import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { messageOf, SlipwayError } from '../../base/errors.ts';
import { aborted } from './questions.ts';
import type { Wizard } from './wizard.ts';

/** Before the first question: a file that is there is only replaced by somebody who says so. */
export async function mayWrite({ options, questions, file, say }: Wizard): Promise<void> {
  if (options.file === '-' || options.force === true || !existsSync(file)) return;
  if (questions !== undefined) {
    say(`There is a cluster file at ${options.file} already.`);
    if (await questions.confirm({ message: 'Write a new one in its place?', default: false })) return;
    throw aborted();
  }
  throw new SlipwayError(`There is a cluster file at ${options.file} already`, {
    code: 'CLUSTER_FILE_EXISTS',
    category: 'usage',
    where: { file },
    hint: 'Name another file, or add --force to replace it.',
  });
}

/** Writes the file whole or not at all. */
export async function writeClusterFile({ options, io, file }: Wizard, text: string): Promise<void> {
  if (options.file === '-') {
    io.stdout.write(text);
    return;
  }
  const temporary = `${file}.${randomBytes(4).toString('hex')}.tmp`;
  try {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(temporary, text, { flag: 'wx' });
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    throw new SlipwayError(`Cannot write ${options.file}: ${messageOf(error)}`, {
      code: 'CLUSTER_FILE_UNWRITABLE',
      category: 'usage',
      where: { file },
      cause: error,
    });
  }
}
