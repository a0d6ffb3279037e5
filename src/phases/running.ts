import { BIN } from '../components/topology.ts';
import { emptyState } from '../engine/state.ts';
import type { Context } from './context.ts';

/** The daemons whose version is Kubernetes' own. */
const DAEMONS = ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kubelet', 'kube-proxy'] as const;
export type Daemon = (typeof DAEMONS)[number];

/** What is fixed for the life of a cluster stands in these flags. */
const FIXED_FLAGS = [
  'cluster-cidr',
  'node-cidr-mask-size',
  'service-cluster-ip-range',
  'service-account-issuer',
  'data-dir',
  'kube-subnet-mgr',
  'etcd-prefix',
] as const;
/** The daemons that have them. */
const FIXED = ['kube-apiserver', 'kube-controller-manager', 'etcd', 'flanneld'] as const;
export type FixedFlag = (typeof FIXED_FLAGS)[number];

/**
 * Prints `runs DAEMON VERSION` for what runs on the host, or is there to be started, and `flag DAEMON NAME=VALUE` as it was started with. A process
 * says it of itself: /proc has its program and its command line, whatever files were changed since.
 */
export const RUNNING_PROBE = {
  name: 'running',
  script: `for s_d in ${[...new Set([...DAEMONS, ...FIXED])].join(' ')}; do
  s_p=$(systemctl show -P MainPID "$s_d.service")
  if [ "\${s_p:-0}" != 0 ]; then
    s_exe=$(readlink "/proc/$s_p/exe"); s_args=$(tr '\\0' '\\n' <"/proc/$s_p/cmdline")
  else
    s_exe=$(readlink ${BIN}/"$s_d"); s_args=$(cat /etc/systemd/system/"$s_d.service" /usr/lib/systemd/system/"$s_d.service" 2>/dev/null | sed 's/^ *//; s/ *\\\\$//; s/"//g')
  fi
  printf '%s\\n' "$s_exe" | sed -n "s#.*/$s_d/\\([0-9][0-9A-Za-z.+-]*\\)/$s_d.*#runs $s_d \\1#p"
  printf '%s\\n' "$s_args" | sed -nE "s#^--(${FIXED_FLAGS.join('|')})=(.*)#flag $s_d \\1=\\2#p"
done`,
};

/** What the daemons of a host say of themselves. */
export interface Running {
  versions: Readonly<Partial<Record<Daemon, string>>>;
  flags: Readonly<Partial<Record<FixedFlag, string>>>;
}

/** A line that is not of the probe's form counts as not there. */
export function runningOn({ states }: Pick<Context, 'states'>, host: string): Running {
  const lines = ((states[host] ?? emptyState).probes[RUNNING_PROBE.name] ?? '').split('\n');
  const found = (pattern: RegExp): [string, string][] =>
    lines.flatMap((line) => {
      const [, key, value] = pattern.exec(line) ?? [];
      return key === undefined ? [] : [[key, value!] as [string, string]];
    });
  return {
    versions: Object.fromEntries(found(new RegExp(`^runs (${DAEMONS.join('|')}) (\\d+\\.\\d+\\.\\d+[0-9A-Za-z.+-]*)$`))),
    flags: Object.fromEntries(found(new RegExp(`^flag (?:${FIXED.join('|')}) (${FIXED_FLAGS.join('|')})=([\\w.:/-]{1,300})$`))),
  };
}
