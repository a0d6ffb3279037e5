import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { SlipwayError, messageOf, type Where } from '../base/errors.ts';
import { parseManifests, type ManifestFile, type Manifests } from '../config/manifests.ts';
import type { LoadedCluster } from '../config/parse.ts';

/**
 * Reads the files of spec.addons.manifests, and of directories all .yaml, .yml and .json in them, by name. Asks no host. Throws
 * MANIFEST_UNREADABLE or MANIFEST_INVALID (usage).
 */
export async function readManifests({ cluster, locate }: Pick<LoadedCluster, 'cluster' | 'locate'>): Promise<Manifests> {
  const files: ManifestFile[] = [];
  for (const [index, path] of cluster.addons.manifests.entries()) {
    const where = locate(['spec', 'addons', 'manifests', index], false);
    for (const file of await filesAt(path, where)) {
      // A file that is named and lies in a directory that is named too is one file.
      if (!files.some((other) => other.path === file))
        files.push({ path: file, text: await reading(file, where, () => readFile(file, 'utf8')) });
    }
  }
  return parseManifests(files);
}

async function filesAt(path: string, where: Where): Promise<string[]> {
  return reading(path, where, async () => {
    if (!(await stat(path)).isDirectory()) return [path];
    const names = await readdir(path);
    return names
      .filter((name) => /\.(ya?ml|json)$/.test(name))
      .sort()
      .map((name) => join(path, name));
  });
}

async function reading<T>(path: string, where: Where, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    const code = typeof cause === 'object' && cause !== null && 'code' in cause ? cause.code : undefined;
    throw new SlipwayError(
      code === 'ENOENT' || code === 'ENOTDIR'
        ? `there is no manifest at ${path}`
        : `the manifest ${path} cannot be read: ${messageOf(cause)}`,
      {
        code: 'MANIFEST_UNREADABLE',
        category: 'usage',
        where,
        hint: 'Paths under spec.addons.manifests are relative to the directory of the cluster file.',
        cause,
      },
    );
  }
}
