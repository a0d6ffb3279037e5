import { SlipwayError } from '../base/errors.ts';
import type { Artefact } from './types.ts';

/**
 * A distribution's packages are artefacts too, one for each system, whose files are named after the packages: `haproxy.deb`. Only bundles
 * have them; everywhere else a host's own package manager knows better what fits.
 */
export function packagesName(system: string): string {
  return `packages-${system}`;
}

/** What os-release(5) says, as one word: `debian-12`. */
export function systemOf({ id, versionId }: { id: string; versionId: string }): string {
  return `${id}-${versionId}`;
}

export function isPackages({ name }: Pick<Artefact, 'name'>): boolean {
  return name.startsWith('packages-');
}

/** The file of a package; names may have characters that file names of artefacts have not. */
export function packageFile(name: string): string {
  return `${plain(name)}.deb`;
}

/** Debian releases by what os-release calls them. */
const codenames: Readonly<Record<string, string>> = { 'debian-11': 'bullseye', 'debian-12': 'bookworm', 'debian-13': 'trixie' };

/** The systems whose packages can go into a bundle. */
export const bundledSystems: readonly string[] = Object.keys(codenames);

/** Throws BUNDLE_SYSTEM_UNKNOWN (usage). */
export function codenameOf(system: string): string {
  const name = codenames[system];
  if (name !== undefined) return name;
  throw new SlipwayError(`Packages of ${system} cannot go into a bundle`, {
    code: 'BUNDLE_SYSTEM_UNKNOWN',
    category: 'usage',
    hint: `Bundles have packages of ${bundledSystems.join(', ')}. On other systems install haproxy beforehand, or from a mirror that the hosts reach.`,
  });
}

/** What a file name of an artefact can be. */
export function plain(text: string): string {
  return text.replaceAll(/[^A-Za-z0-9._-]/g, '-');
}
