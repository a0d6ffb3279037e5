import { homedir } from 'node:os';
import { dirname, isAbsolute, join, resolve } from 'node:path';

/** A path written in the cluster file: `~` is the home directory, anything relative is seen from the cluster file's directory. */
export function resolvePath(path: string, clusterFile: string): string {
  if (path === '~') return homedir();
  if (path.startsWith('~/')) return join(homedir(), path.slice(2));
  return isAbsolute(path) ? path : resolve(dirname(resolve(clusterFile)), path);
}
