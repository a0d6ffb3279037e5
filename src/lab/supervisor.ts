import { sh } from '../base/quote.ts';
import { hostLink } from './layout.ts';

export interface SupervisorOptions {
  /** Mount points of all cgroup hierarchies. */
  hierarchies: readonly string[];
  group: string;
  version: 1 | 2;
  /** systemd starts the script as a unit, gives it its group and mount namespace, and starts it again when the host reboots. */
  units: boolean;
  /** Directories: the image, and the host's own `root`, `upper`, `work` and `var`. */
  image: string;
  directory: string;
  /** Version of the host's systemd; 258 and later boot on cgroup v2 only. */
  systemd: number;
  machine: string;
  hostname: string;
  bridge: string;
  /** Paths of this machine to bind into the host at the same place, when they exist. */
  binds: readonly string[];
}

/** The arguments of systemd-nspawn for one host. */
function nspawn(options: SupervisorOptions): string[] {
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

/**
 * The shell script that is the power supply of one host: it ends when the host is switched off and starts it again when it reboots.
 * It runs in a mount namespace of its own, so that nothing stays mounted when it is killed, and in a cgroup of its own, by which everything
 * of the host is found again. /var is a plain directory, because containerd's overlays do not stack on an overlay.
 */
export function supervisorScript(options: SupervisorOptions): string {
  return `#!/bin/sh
set -eu
${options.units ? mountsPart(options) + unitPart(options) : groupsPart(options) + mountsPart(options) + loopPart(options)}`;
}

function mountsPart({ image, directory }: SupervisorOptions): string {
  const layers = `lowerdir=${image},upperdir=${directory}/upper,workdir=${directory}/work`;
  return `
# Whoever takes the lab down removes this file first.
[ -e "$0" ] || exit 0
mkdir -p /run/systemd/nspawn
mount -t tmpfs -o mode=0755 tmpfs /run/systemd/nspawn
${sh`mount -t overlay overlay -o ${layers} ${`${directory}/root`}`}
`;
}

function unitPart(options: SupervisorOptions): string {
  return `
${clearLink(options)}
exec ${sh`${nspawn(options)}`}
`;
}

function groupsPart({ hierarchies, group, version }: SupervisorOptions): string {
  // v1 wants processors and memory nodes named in every new cpuset; v2 hands controllers down one level at a time.
  const inherit = `for file in cpuset.cpus cpuset.mems; do
        [ ! -e "$parent/$file" ] || cat "$parent/$file" > "$child/$file"
      done`;
  const enable = `for controller in $(cat "$parent/cgroup.controllers"); do
        echo "+$controller" > "$parent/cgroup.subtree_control" || true
      done`;
  return `
enter() {
  for parent in ${sh`${hierarchies}`}; do
    for part in ${sh`${group}`} "$1"; do
      child="$parent/$part"
      mkdir -p "$child"
      ${version === 1 ? inherit : enable}
      parent="$child"
    done
    echo 0 > "$child/cgroup.procs" || return 1
  done
}

clear_groups() {
  for hierarchy in ${sh`${hierarchies}`}; do
    find "$hierarchy/"${sh`${group}`} -mindepth 1 -depth -type d -path '*/machine*' -exec rmdir {} +
  done
}

# Also when it fails half-way: nobody else would look for groups that are made after the lab is gone.
leave() {
  for hierarchy in ${sh`${hierarchies}`}; do
    echo 0 > "$hierarchy/cgroup.procs" || true
    find "$hierarchy/"${sh`${group}`} -depth -type d -exec rmdir {} + || true
  done
}

# Whoever starts this gives its process: if that was killed meanwhile, the host is not wanted any more.
[ "$PPID" = "$1" ] || exit 0
trap leave EXIT
enter supervisor
`;
}

function loopPart(options: SupervisorOptions): string {
  return `
while :; do
  ${clearLink(options)}
  status=0
  (enter machine && exec ${sh`${nspawn(options)}`}) || status=$?
  # nspawn's way to say that the host wants to be started again.
  [ "$status" = 133 ] || exit "$status"
  clear_groups
done
`;
}

/** The link of the start before may outlive it for a moment. */
function clearLink(options: SupervisorOptions): string {
  return `${sh`ip link delete ${hostLink(options.machine)}`} 2>/dev/null || true`;
}
