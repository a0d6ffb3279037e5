import type { Facts } from '../facts.ts';

/** What we may need from a distribution, by our own name for it. */
export type Tool =
  | 'haproxy'
  | 'conntrack'
  | 'iptables'
  | 'nftables'
  | 'ipset'
  | 'ipvsadm'
  | 'iproute'
  | 'socat'
  | 'ethtool'
  | 'zstd'
  | 'nfs'
  | 'wireguard'
  | 'kmod';

export type PackageManager = 'apt' | 'dnf' | 'zypper';

export interface OsModule {
  id: string;
  family: 'debian' | 'rhel' | 'suse';
  packageManager: PackageManager;
  /** The command that must exist for the package manager to be usable: immutable systems have the family's name without it. */
  packageCommand: string;
  packageNames: Readonly<Record<Tool, string>>;
  /**
   * POSIX sh text that installs packages, in a subshell of its own; ends with the package manager's code. Nothing is done for those that are
   * there. `refresh` reads the package lists first; without it they are read only when the installation fails. No service is started or enabled.
   */
  installCommand(packages: readonly string[], options: { refresh: boolean }): string;
  /**
   * The same from package files in a directory, one for each package and for what it needs, without asking anything outside of the host: those
   * that it does not have yet. `wanted` are all packages that are there for their own sake. Undefined where we cannot do that.
   */
  installFilesCommand?(packages: readonly string[], from: { directory: string; wanted: readonly string[] }): string;
  /**
   * The inverse: removes the packages, their configuration, and what only they had brought along; also after an installation that was cut off.
   * `archives` is a directory under which package files may be; `before` one that remembers, until the host is given back.
   */
  removeCommand(packages: readonly string[], from: { archives: string; before: string }): string;
  /** Whether this very release is part of the tests on real hosts. */
  proven: boolean;
}

/** A family's knowledge: the release's part of it is decided by `recognise`. */
export interface OsFamily extends Omit<OsModule, 'id' | 'proven'> {
  /** Undefined: another family's. `refused` is the reason why this release cannot be used, as a clause. */
  recognise(os: Facts['os']): { proven: boolean; refused?: string } | undefined;
}

/** Whether a dotted version is at least another: numbers compare as numbers, what is missing counts as 0. */
export function atLeast(version: string, minimum: string): boolean {
  const [a, b] = [version, minimum].map((text) => text.split('.').map((part) => Number.parseInt(part, 10) || 0)) as [number[], number[]];
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return true;
}
