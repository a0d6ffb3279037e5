import { sh } from '../base/quote.ts';

export interface SupervisorOptions {
  /** Mount points of all cgroup hierarchies. */
  hierarchies: readonly string[];
  group: string;
  version: 1 | 2;
  /** Directories: the image, and the host's own `root`, `upper`, `work` and `var`. */
  image: string;
  directory: string;
  machine: string;
  hostname: string;
  bridge: string;
  /** Paths of this machine to bind into the host at the same place, when they exist. */
  binds: readonly string[];
}

/** The arguments of systemd-nspawn for one host. */
function nspawn(options: SupervisorOptions): string[] {
  return [
    ...['systemd-nspawn', '--quiet', '--settings=no', '--boot', '--keep-unit', '--register=no', '--link-journal=no'],
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
  const { directory, group, hierarchies } = options;
  return `#!/bin/sh
set -eu

join() {
  for hierarchy in ${sh`${hierarchies}`}; do
    group="$hierarchy"
    for part in ${sh`${group}`} "$1"; do
      enable "$group"
      [ -d "$group/$part" ] || mkdir "$group/$part"
      if [ -e "$group/cpuset.mems" ] && [ -e "$group/$part/cpuset.mems" ] && [ ! -e "$group/cgroup.controllers" ]; then
        cat "$group/cpuset.cpus" > "$group/$part/cpuset.cpus"
        cat "$group/cpuset.mems" > "$group/$part/cpuset.mems"
      fi
      group="$group/$part"
    done
    echo $$ > "$group/cgroup.procs"
  done
}

# cgroup v2 hands controllers down one level at a time.
enable() {
  [ ${String(options.version)} = 2 ] || return 0
  for controller in $(cat "$1/cgroup.controllers"); do
    echo "+$controller" > "$1/cgroup.subtree_control" || true
  done
}

if [ "\${1:-}" = machine ]; then
  join machine
  exec ${sh`${nspawn(options)}`}
fi

join supervisor
# Whoever takes the lab down removes this file first.
[ -e "$0" ] || exit 0
mkdir -p /run/systemd/nspawn
mount -t tmpfs -o mode=0755 tmpfs /run/systemd/nspawn
${sh`mount -t overlay overlay -o ${`lowerdir=${options.image},upperdir=${directory}/upper,workdir=${directory}/work`} ${`${directory}/root`}`}
while :; do
  status=0
  sh "$0" machine || status=$?
  # nspawn's way to say that the host wants to be started again.
  [ "$status" = 133 ] || exit "$status"
done
`;
}
