import type { WaitAction } from '../step.ts';
import type { Kind } from './action.ts';

/** Waits on the host, where a look costs nothing; the last look's words are the explanation of a failure. */
export const wait: Kind<WaitAction> = {
  reason: () => 'to be seen',
  shell: ({ condition, timeoutSeconds, units = [] }) => `
s_end=$(( $(cut -d. -f1 /proc/uptime) + ${timeoutSeconds} ))
until s_out=$( (
${condition}
) 2>&1 </dev/null); do
  if [ "$(cut -d. -f1 /proc/uptime)" -ge "$s_end" ]; then
    printf '%s\\n' "$s_out"
    echo "still not so after ${timeoutSeconds} s"
    for s_unit in ${units.join(' ')}; do
      systemctl is-active --quiet "$s_unit" && continue
      echo "$s_unit is $(systemctl is-active "$s_unit"), restarted $(systemctl show -P NRestarts "$s_unit") times; its last words:"
      journalctl --no-pager -q -o cat -n 12 _SYSTEMD_UNIT="$s_unit" || :
    done
    exit 1
  fi
  sleep 0.1
done
`,
};
