import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

/** `slipway` in the user's cache directory (XDG Base Directory Specification 0.8: a relative XDG_CACHE_HOME is ignored). */
export function defaultCacheDirectory(environment: NodeJS.ProcessEnv = process.env): string {
  const xdg = environment['XDG_CACHE_HOME'];
  return join(xdg && isAbsolute(xdg) ? xdg : join(homedir(), '.cache'), 'slipway');
}
