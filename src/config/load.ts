import { readFile } from 'node:fs/promises';
import writeFileAtomic from 'write-file-atomic';
import { messageOf, SlipwayError } from '../base/errors.ts';
import { type LoadedCluster, parseCluster } from './parse.ts';

/** Reads a cluster file. Throws SlipwayError CLUSTER_FILE_MISSING or CLUSTER_FILE_UNREADABLE, or SlipwayErrors CLUSTER_FILE_INVALID (all usage). */
export async function loadCluster(path: string): Promise<LoadedCluster> {
  return parseCluster(await readClusterFile(path), path);
}

/** The text of a cluster file. Throws like loadCluster, but for its contents. */
export async function readClusterFile(path: string): Promise<string> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (error) {
    const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      throw new SlipwayError(`There is no cluster file at ${path}`, {
        code: 'CLUSTER_FILE_MISSING',
        category: 'usage',
        where: { file: path },
        hint: 'Write one with slipway init, or name another with -f FILE.',
        cause: error,
      });
    }
    throw new SlipwayError(`Cannot read the cluster file ${path}: ${messageOf(error)}`, {
      code: 'CLUSTER_FILE_UNREADABLE',
      category: 'usage',
      where: { file: path },
      cause: error,
    });
  }
  return bytes.toString('utf8');
}

/**
 * Replaces a cluster file's text: whoever reads it, or is killed meanwhile, finds the old one or the new one. Mode and owner stay, and a link is
 * followed. Throws SlipwayError CLUSTER_FILE_OUTDATED (failed).
 */
export async function writeClusterFile(path: string, text: string): Promise<void> {
  try {
    await writeFileAtomic(path, text);
  } catch (error) {
    throw new SlipwayError(`Cannot write the cluster file ${path}: ${messageOf(error)}`, {
      code: 'CLUSTER_FILE_OUTDATED',
      category: 'failed',
      where: { file: path },
      hint: 'The hosts are as the run has made them: give yourself the right to write there, and run the same command again.',
      cause: error,
    });
  }
}
