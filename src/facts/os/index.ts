import type { Facts } from '../facts.ts';
import { debian } from './debian.ts';
import type { OsFamily, OsModule } from './os.ts';
import { openEuler, rhel } from './rhel.ts';
import { suse } from './suse.ts';

export type { OsModule, PackageManager, Tool } from './os.ts';

/** Every family we know; the first that recognises a host has it. */
const families: readonly OsFamily[] = [debian, openEuler, rhel, suse];

/** The systems for which we know packages, as one line for messages. */
export const supportedSystems =
  'Debian 11+, Ubuntu 20.04+, RHEL and its rebuilds 8+, Fedora, openEuler 20.03+, SLES and openSUSE Leap 15+, Tumbleweed';

/** What we know of a host's operating system; undefined when it is not supported, for the reason that osRefusal gives. */
export function osModule({ os }: Pick<Facts, 'os'>): OsModule | undefined {
  const found = recognise(os);
  if (found === undefined || found.refused !== undefined) return undefined;
  const { recognise: _, ...knowledge } = found.family;
  return { ...knowledge, id: os.id, proven: found.proven };
}

/** Why a system is not supported, as a clause; undefined when it is. */
export function osRefusal({ os }: Pick<Facts, 'os'>): string | undefined {
  const found = recognise(os);
  return found === undefined ? 'nothing is known about this system' : found.refused;
}

function recognise(os: Facts['os']): { family: OsFamily; proven: boolean; refused?: string } | undefined {
  for (const family of families) {
    const answer = family.recognise(os);
    if (answer !== undefined) return { family, ...answer };
  }
  return undefined;
}
