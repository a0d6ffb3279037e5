import { createHash } from 'node:crypto';
import { mkdir, readFile, readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { SlipwayError } from '../base/errors.ts';
import { attempt } from './command.ts';
import { writeWhole } from './fs.ts';

export interface AptSource {
  uri: string;
  suite: string;
  components: readonly string[];
}

/** The Debian archives among this machine's own apt sources, as apt itself reads them; LAB_NO_MIRROR when there are none. The answer is kept in the file `memory`. */
export async function debianSources(memory: string): Promise<AptSource[]> {
  // apt takes most of a second to say what changes once a year.
  const stamp = await stampOfApt();
  const remembered = await readFile(memory, 'utf8').then(
    (text) => JSON.parse(text) as { stamp: string; sources: AptSource[] },
    () => undefined,
  );
  if (remembered?.stamp === stamp) return remembered.sources;
  const sources = await askApt();
  await mkdir(dirname(memory), { recursive: true });
  await writeWhole(memory, JSON.stringify({ stamp, sources }));
  return sources;
}

/** Changes whenever apt's sources, their settings or the fetched lists do. */
async function stampOfApt(): Promise<string> {
  const directories = ['/etc/apt', '/etc/apt/sources.list.d', '/etc/apt/apt.conf.d', '/var/lib/apt/lists'];
  const names = await Promise.all(directories.map(async (d) => [d, ...(await readdir(d).catch(() => [])).map((name) => join(d, name))]));
  const stats = await Promise.all(
    names.flat().map(async (path) => `${path} ${String((await stat(path).catch(() => undefined))?.mtimeMs)}`),
  );
  return createHash('sha256').update(stats.join('\n')).digest('hex');
}

async function askApt(): Promise<AptSource[]> {
  const format = '$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(ORIGIN)';
  const { stdout } = await attempt('apt-get', ['indextargets', '--format', format, 'Created-By: Packages']);
  const sources = parseTargets(stdout);
  if (sources.length > 0) return sources;
  throw new SlipwayError('the apt sources of this machine name no Debian archive', {
    code: 'LAB_NO_MIRROR',
    category: 'usage',
    hint: 'Hosts are made from the mirror that this machine uses itself. Add a Debian source and run `apt-get update`.',
  });
}

/** Reads `apt-get indextargets` output. An archive is Debian's by its Release file, or, when lists were never fetched, by its path. */
export function parseTargets(text: string): AptSource[] {
  const found = new Map<string, { uri: string; suite: string; components: string[] }>();
  for (const line of text.split('\n')) {
    const [uri = '', suite = '', component = '', origin = ''] = line.split('|');
    const debian = origin === 'Debian' || (/^(\$\(ORIGIN\))?$/.test(origin) && /\/debian(-security)?\/?$/.test(uri));
    if (uri === '' || !debian) continue;
    const entry = found.get(`${uri} ${suite}`) ?? { uri, suite, components: [] };
    if (!entry.components.includes(component)) entry.components.push(component);
    found.set(`${uri} ${suite}`, entry);
  }
  return [...found.values()];
}

/** The same archives as one-line sources for another release; unstable has neither updates nor security. */
export function rewriteSources(sources: readonly AptSource[], release: string): string[] {
  const unstable = release === 'sid' || release === 'unstable';
  const lines = sources.flatMap(({ uri, suite, components }) => {
    const [, pocket = ''] = /^[a-z]+((?:-|\/)(?:updates|security))?$/.exec(suite) ?? [undefined, undefined];
    if (!/^[a-z]+((-|\/)(updates|security))?$/.test(suite) || (unstable && pocket !== '')) return [];
    return [`deb ${uri.replace(/\/$/, '')} ${release}${pocket} ${components.join(' ')}`];
  });
  return [...new Set(lines)];
}

/** What a host needs of this machine's apt settings to reach the same mirror, from `apt-config dump`: the proxy, and whether dates are believed. */
export function parseAptOptions(dump: string): string[] {
  const names = /^Acquire::(?:https?::Proxy(?:::[^ ]+)?|Check-Valid-Until|Check-Date|Retries) "[^"]+";$/;
  return dump.split('\n').flatMap((line) => (names.test(line) ? [line.slice(0, -1)] : []));
}
