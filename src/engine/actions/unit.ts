import { sh } from '../../base/quote.ts';
import type { UnitAction } from '../step.ts';
import type { Kind } from './action.ts';

/**
 * systemd reads a unit that it has not met yet by itself; a reload runs all its generators and is spared where it is not needed: not where it has met a
 * unit while its file was gone, which it holds to be broken from then on. It forgets a unit
 * that nothing needs, and would read it again for every question, so that one question asks for everything. Enabling is done
 * behind its back: told of it, systemd 254 and later calls every unit outdated until the next reload.
 * Starting never waits: systemd absorbs the order, and readiness is a wait of its own. What runs with the wanted settings already is left
 * running, so that a repeated step disturbs nothing.
 */
export const unit: Kind<UnitAction> = {
  reason({ name, path, digest, running = true }, state) {
    const found = state.units[name];
    if (found?.masked) return 'is masked';
    if (!found?.loaded) return 'new';
    if (!found.enabled) return 'not enabled';
    if (running && found.active !== 'active') return `is ${found.active}`;
    if (running && found.digest !== digest) return 'runs with other settings';
    if (found.path !== undefined && found.path !== path) return `systemd has read ${found.path}`;
    if (found.needsReload) return 'systemd has not read the changed unit';
    return undefined;
  },
  shell: ({ name, path, digest, running = true, makes = [], clients = [] }) =>
    makes.map((made) => sh`own ${made}\n`).join('') +
    unshadow({ name, path }) +
    sh`s_load= s_reload= s_path= s_active= s_pid=
while IFS='=' read -r s_key s_value; do
case $s_key in LoadState) s_load=$s_value ;; NeedDaemonReload) s_reload=$s_value ;; FragmentPath) s_path=$s_value ;; ActiveState) s_active=$s_value ;; MainPID) s_pid=$s_value ;; esac
done <<END
$(systemctl show -p LoadState,NeedDaemonReload,FragmentPath,ActiveState,MainPID ${name})
END
[ "$s_load $s_reload" = 'loaded no' ] && [ "$s_path" -ef ${path} ]` +
    (clients.length === 0 ? '' : sh` && ! systemctl show -p NeedDaemonReload ${clients} | grep -q yes`) +
    sh` || systemctl daemon-reload
SYSTEMD_OFFLINE=1 systemctl --quiet enable ${name}\n` +
    (running ? restart({ name, digest, clients }) : ''),
};

/** Where systemd looks before it reads ours. A link to nowhere is a mask, and what was masked before us is noted (see note). */
function unshadow({ name, path }: Pick<UnitAction, 'name' | 'path'>): string {
  return ['/etc/systemd/system', '/run/systemd/system']
    .map((directory) => `${directory}/${name}`)
    .filter((shadow) => shadow !== path)
    .map(
      (shadow) =>
        sh`if [ "$(readlink ${shadow})" = /dev/null ]; then rm -f ${shadow}; elif [ -f ${shadow} ]; then own ${shadow}; rm -f ${shadow}; fi\n`,
    )
    .join('');
}

/** Of jobs for several units, systemd takes the stops in reverse order, and each start after those of what it is ordered after. */
function restart({ name, digest, clients }: { name: string; digest: string; clients: readonly string[] }): string {
  return sh`case $(readlink /proc/"$s_pid"/exe) in *' (deleted)') s_pid=replaced ;; esac
case $s_active in active | reloading) grep -qsF ${digest} /proc/"$s_pid"/environ ;; *) false ;; esac || {
[ "$s_active" = inactive ] || systemctl reset-failed ${name} 2>/dev/null || :
s_with=
[ "$s_active" != active ] || for s_c in ${clients}; do ! systemctl is-active --quiet "$s_c" || s_with="$s_with $s_c"; done
systemctl restart --no-block $s_with ${name}
}`;
}
