import { rename, rm, stat, writeFile } from 'node:fs/promises';
import { run } from './command.ts';

/** Whoever is killed meanwhile leaves the old text or the new one. */
export async function writeWhole(file: string, text: string): Promise<void> {
  await writeFile(`${file}.new`, text, { flush: true });
  await rename(`${file}.new`, file);
}

/** Nothing there is fine. */
export async function removeTree(directory: string): Promise<void> {
  await rm(directory, { recursive: true, force: true, maxRetries: 10 });
}

/** Copies files and directories with owners, modes and attributes to one place; ends with this process. */
export async function copyDisk(from: readonly string[], to: string): Promise<void> {
  await run('cp', ['-a', '--reflink=auto', '--sparse=always', ...from, to], { bound: true });
}

export async function isDirectory(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
