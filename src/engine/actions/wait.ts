import type { WaitAction } from '../step.ts';
import type { Kind } from './action.ts';

/** Waits on the host, where a look costs nothing; the last look's words are the explanation of a failure. */
export const wait: Kind<WaitAction> = {
  reason: () => 'to be seen',
  shell: ({ condition, timeoutSeconds, unit }) => `
s_end=$(( $(cut -d. -f1 /proc/uptime) + ${timeoutSeconds} ))
until s_out=$( (
${condition}
) 2>&1 </dev/null); do
  if [ "$(cut -d. -f1 /proc/uptime)" -ge "$s_end" ]; then
    printf '%s\\n' "$s_out"
    echo "still not so after ${timeoutSeconds} s"
    ${unit ? `systemctl --no-pager --lines=0 status ${unit} || :; journalctl --no-pager -q -o cat -n 20 -u ${unit} || :` : ''}
    exit 1
  fi
  sleep 0.1
done
`,
};
