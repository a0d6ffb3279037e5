import { sh } from '../../base/quote.ts';
import type { UnitAction } from '../step.ts';
import type { Kind } from './action.ts';

/**
 * systemd reads a unit that it has not met yet by itself; a reload runs all its generators and is spared where it is not needed. Enabling is done
 * behind its back: told of it, systemd 254 and later calls every unit outdated until the next reload.
 * Starting never waits: systemd absorbs the order, and readiness is a wait of its own. What runs with the wanted settings already is left
 * running, so that a repeated step disturbs nothing.
 */
export const unit: Kind<UnitAction> = {
  reason({ name, path, digest, running = true }, state) {
    const found = state.units[name];
    if (!found?.loaded) return 'new';
    if (!found.enabled) return 'not enabled';
    if (running && found.active !== 'active') return `is ${found.active}`;
    if (running && found.digest !== digest) return 'runs with other settings';
    if (found.path !== undefined && found.path !== path) return `systemd has read ${found.path}`;
    if (found.needsReload) return 'systemd has not read the changed unit';
    return undefined;
  },
  shell: ({ name, path, digest, running = true, makes = [] }) =>
    makes.map((made) => sh`own ${made}\n`).join('') +
    sh`case $(systemctl show -p NeedDaemonReload ${name}):$(readlink -f "$(systemctl show -P FragmentPath ${name})") in *=no:$(readlink -f ${path})) ;; *) systemctl daemon-reload ;; esac
SYSTEMD_OFFLINE=1 systemctl --quiet enable ${name}\n` +
    (running ? restart(name, digest) : ''),
};

function restart(name: string, digest: string): string {
  return sh`s_p=$(systemctl show -P MainPID ${name})
case $(readlink /proc/"$s_p"/exe) in *' (deleted)') s_p=replaced ;; esac
if systemctl is-active --quiet ${name} && grep -qsF ${digest} /proc/"$s_p"/environ; then :; else
systemctl reset-failed ${name} 2>/dev/null || :
systemctl restart --no-block ${name}
fi`;
}
