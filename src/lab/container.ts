import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { sh } from '../base/quote.ts';
import { hostLink } from './layout.ts';
import type { Power } from './supervisor.ts';

export interface ContainerOptions {
  /** Version of the machine's control groups. */
  version: 1 | 2;
  /** Directories that are the lower layers, the topmost first, the image last. */
  layers: readonly string[];
  /** The host's own, with `root`, `upper`, `work` and `var`. */
  directory: string;
  /** Version of the host's systemd; 258 and later boot on cgroup v2 only. */
  systemd: number;
  machine: string;
  hostname: string;
  bridge: string;
  /** Paths of this machine to bind into the host at the same place. */
  binds: readonly string[];
}

/** A host that is a container: systemd-nspawn over its layers. /var is a plain directory, because containerd's overlays do not stack on an overlay. */
export function containerPower(options: ContainerOptions): Power {
  const { layers: lower, directory } = options;
  const layers = `lowerdir=${lower.join(':')},upperdir=${directory}/upper,workdir=${directory}/work`;
  return {
    prepare: `mkdir -p /run/systemd/nspawn
mount -t tmpfs -o mode=0755 tmpfs /run/systemd/nspawn
${sh`mount -t overlay overlay -o ${layers} ${`${directory}/root`}`}`,
    // The link of the start before may outlive it for a moment.
    begin: `${sh`ip link delete ${hostLink(options.machine)}`} 2>/dev/null || true`,
    command: nspawn(options),
  };
}

/** What of this machine a container gets. */
export const machinePaths = (): string[] => ['/dev/kmsg', '/dev/fuse', '/lib/modules'].filter((path) => existsSync(path));

/** The version of systemd in an image, which is part of a library's name; 0 when it cannot be told. */
export async function systemdOf(image: string): Promise<number> {
  const names = await Promise.all(
    ['usr/lib/systemd', 'usr/lib/x86_64-linux-gnu/systemd', 'usr/lib/aarch64-linux-gnu/systemd'].map((path) =>
      readdir(join(image, path)).catch(() => []),
    ),
  );
  const versions = names.flat().map((name) => Number(/^libsystemd-shared-(\d+)/.exec(name)?.[1] ?? 0));
  return Math.max(0, ...versions);
}

function nspawn(options: ContainerOptions): string[] {
  // On a machine with v1, such a host gets the unified hierarchy: it runs, but without the controllers that a kubelet needs.
  const unified = options.version === 1 && options.systemd >= 258 ? ['env', 'SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1'] : [];
  return [
    ...[...unified, 'systemd-nspawn', '--quiet', '--settings=no', '--boot', '--keep-unit', '--register=no', '--link-journal=no'],
    ...['--resolv-conf=off', '--timezone=off', '--private-users=no', '--capability=all', '--system-call-filter=@keyring bpf @module'],
    `--machine=${options.machine}`,
    `--hostname=${options.hostname}`,
    `--network-bridge=${options.bridge}`,
    `--directory=${options.directory}/root`,
    `--bind=${options.directory}/var:/var`,
    ...options.binds.map((path) => `--bind=${path}`),
  ];
}
