import { sh } from '../base/quote.ts';

/** What runs as a host. */
export interface Power {
  /** Shell text that is run once, in a mount namespace of the host's own: nothing stays mounted when it is killed. */
  prepare: string;
  /** Shell text that is run before each start. */
  begin: string;
  /** Ends when the host does: with 133 when it wants to be started again, which is nspawn's way to say so. */
  command: readonly string[];
}

export interface SupervisorOptions {
  /** Mount points of all cgroup hierarchies. */
  hierarchies: readonly string[];
  group: string;
  version: 1 | 2;
  /** systemd starts the script as a unit, gives it its group and mount namespace, and starts it again when the host reboots. */
  units: boolean;
  power: Power;
}

/**
 * The shell script that is the power supply of one host: it ends when the host is switched off and starts it again when it reboots.
 * It runs in a mount namespace and in a cgroup of its own, by which everything of the host is found again.
 */
export function supervisorScript(options: SupervisorOptions): string {
  const prepare = `
# Whoever takes the lab down removes this file first.
[ -e "$0" ] || exit 0
${options.power.prepare}
`;
  return `#!/bin/sh
set -eu
${options.units ? prepare + unitPart(options) : groupsPart(options) + prepare + loopPart(options)}`;
}

function unitPart({ power }: SupervisorOptions): string {
  return `
${power.begin}
exec ${sh`${power.command}`}
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

function loopPart({ power }: SupervisorOptions): string {
  return `
while :; do
  ${power.begin}
  status=0
  (enter machine && exec ${sh`${power.command}`}) || status=$?
  [ "$status" = 133 ] || exit "$status"
  clear_groups
done
`;
}
