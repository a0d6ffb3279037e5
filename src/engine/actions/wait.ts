import type { WaitAction } from '../step.ts';
import type { Kind } from './action.ts';

/** Waits on the host, where a look costs nothing; the last look's words are the explanation of a failure. */
export const wait: Kind<WaitAction> = {
  reason: () => 'to be seen',
  shell: ({ condition, timeoutSeconds, units = [], restarts = Number.MAX_SAFE_INTEGER }) => `
s_looks=0
s_restarts() { systemctl show -p NRestarts ${units.join(' ')} | awk -F= '{ n += $2 } END { print n + 0 }'; }
s_before=$(s_restarts)
s_end=$(( $(cut -d. -f1 /proc/uptime) + ${timeoutSeconds} ))
until s_out=$( (
${condition}
) 2>&1 </dev/null); do
  s_why=
  [ "$(cut -d. -f1 /proc/uptime)" -lt "$s_end" ] || s_why='still not so after ${timeoutSeconds} s'
  s_looks=$((s_looks + 1))
  [ $((s_looks % 20)) != 0 ] || [ $(($(s_restarts) - s_before)) -lt ${restarts} ] || s_why='it ends again and again'
  if [ -n "$s_why" ]; then
    printf '%s\\n' "$s_out" "$s_why"
    for s_unit in ${units.join(' ')}; do
      systemctl is-active --quiet "$s_unit" && continue
      echo "$s_unit is $(systemctl is-active "$s_unit"), restarted $(systemctl show -P NRestarts "$s_unit") times; its last words:"
      journalctl --no-pager -q -o short-iso -n 40 -u "$s_unit" || :
    done
    exit 1
  fi
  sleep 0.1
done
`,
};
