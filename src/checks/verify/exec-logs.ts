import { quote } from '../../base/quote.ts';
import { isNode, KUBECTL } from '../../components/topology.ts';
import { count, failing, notTried, verdict, type Finding, type VerifyCheck } from './verify.ts';

/** Seconds. */
const PATIENCE = 35;

/** The way from the API server to every kubelet, which nothing else uses. */
export const execLogs: VerifyCheck = {
  id: 'exec-logs',
  title: 'kubectl logs and kubectl exec work',
  covers: isNode,
  trial: true,
  work: ({ namespace, pods }) => `
( s_last=$(printf '%s\\n' "$s_pods" | tail -1)
  [ -z "$s_last" ] || timeout 30 ${KUBECTL} -n ${quote(namespace)} exec "$s_last" -- /agnhost --version 2>&1 | sed "s/^/exec $s_last /" ) &
# A pod that is Ready may have said nothing yet; and a kubelet remembers for half a minute that it refused somebody, also from before the permission.
s_end=$(( $(cut -d. -f1 /proc/uptime) + ${PATIENCE} ))
until s_logs=$(timeout 30 ${KUBECTL} -n ${quote(namespace)} logs -l app=echo --prefix --tail=1 --ignore-errors --max-log-requests=${Math.max(5, pods.length)} 2>&1)
  [ "$(printf '%s\\n' "$s_logs" | grep -cF '[pod/')" -ge "$(printf '%s\\n' "$s_pods" | grep -c .)" ] || [ "$(cut -d. -f1 /proc/uptime)" -ge "$s_end" ]
do sleep 0.5; done
printf '%s\\n' "$s_logs" | sed 's/^/logs /'
wait`,
  run({ trial }) {
    const running = Object.entries(trial.pods).filter(([, { address }]) => address !== undefined);
    if (running.length === 0) return notTried('no pod runs');
    const lines = (trial.work['exec-logs'] ?? '').split('\n');
    const said = (kind: string): string[] => lines.filter((line) => line.startsWith(`${kind} `)).map((line) => line.slice(5));
    const hint =
      'the API server must reach port 10250 of the node, and the kubelet must accept its certificate (ClusterRoleBinding slipway:kubelet-api)';
    const errors = said('logs').filter((line) => !line.startsWith('[pod/'));
    const findings: Finding[] = running
      .filter(([, { name }]) => !said('logs').some((line) => line.startsWith(`[pod/${name}/`)))
      .map(([node, { name }]) =>
        failing(node, 'kubectl logs does not work', {
          hint,
          evidence: errors
            .filter((line) => errors.length === 1 || line.includes(name) || line.includes(node))
            .slice(0, 2)
            .join('\n'),
        }),
      );
    const [tried, answer = ''] = said('exec').map((line) => /^(\S+) (.*)$/.exec(line)?.slice(1) ?? [])[0] ?? [];
    const on = running.find(([, { name }]) => name === tried)?.[0];
    if (!/version/.test(answer))
      findings.push(failing(on ?? [], 'kubectl exec does not work', { hint, evidence: said('exec').slice(-2).join('\n') }));
    return verdict(findings, { message: `logs from ${count(running.length, 'node')}, exec on ${on ?? 'none'}` });
  },
};
