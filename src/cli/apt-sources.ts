import { join } from 'node:path';
import { codenameOf } from '../artifacts/package-names.ts';
import { isSlipwayError } from '../base/errors.ts';
import { attempt } from '../lab/command.ts';
import { debianSources, parseAptOptions, rewriteSources } from '../lab/sources.ts';

/** Where a machine finds Debian that does not use it itself. */
const official = (codename: string): string[] => [
  `deb http://deb.debian.org/debian ${codename} main`,
  `deb http://deb.debian.org/debian ${codename}-updates main`,
  `deb http://deb.debian.org/debian-security ${codename}-security main`,
];

/**
 * Package sources for a system: the mirror that is named, else those of this machine, else Debian's own. Throws BUNDLE_SYSTEM_UNKNOWN (usage).
 */
export async function aptSources(
  system: string,
  { mirror, cacheDirectory }: { mirror: string | undefined; cacheDirectory: string },
): Promise<string[]> {
  const codename = codenameOf(system);
  if (mirror !== undefined) return [codename, `${codename}-updates`].map((suite) => `deb ${mirror.replace(/\/+$/, '')} ${suite} main`);
  try {
    return rewriteSources(await debianSources(join(cacheDirectory, 'apt-sources.json')), codename);
  } catch (error) {
    // No Debian among this machine's sources, or no apt at all: the next question says so.
    if (isSlipwayError(error) && ['LAB_NO_MIRROR', 'LAB_COMMAND_FAILED'].includes(error.code)) return official(codename);
    throw error;
  }
}

/** What apt needs of this machine's settings to reach an archive: its proxy. */
export async function aptOptions(): Promise<string[]> {
  return parseAptOptions(
    await attempt('apt-config', ['dump']).then(
      ({ stdout }) => stdout,
      () => '',
    ),
  );
}
