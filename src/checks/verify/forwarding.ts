import { isNode } from '../../components/topology.ts';
import { asked } from './health.ts';
import { count, failing, list, verdict, type Finding, type VerifyCheck } from './verify.ts';

const CHAIN = 'SLIPWAY-FORWARD';
/** Seconds: a firewall flushes the rules of others when it reloads, and the script that puts ours back looks every ten. */
const PUT_BACK = 12;

export const forwarding: VerifyCheck = {
  id: 'forwarding',
  title: 'Pod traffic passes the FORWARD chain of every node',
  covers: isNode,
  probe(host, { cluster, patience }) {
    if (!isNode(host)) return undefined;
    const there = cluster.network.forwarding === 'scoped' ? `-j ${CHAIN}` : '-P FORWARD ACCEPT';
    return `s_end=$(($(date +%s) + ${Math.max(patience, PUT_BACK)}))
until s_rules=$(iptables -w -S FORWARD 2>&1); printf '%s\\n' "$s_rules" | grep -qF -e '${there}' || [ "$(date +%s)" -ge "$s_end" ]; do sleep 0.5; done
printf '%s\\n' "$s_rules"; iptables -w -S ${CHAIN}`;
  },
  run(context) {
    const { podCidr, forwarding: mode } = context.cluster.network;
    const hosts = asked(context);
    const findings = hosts.flatMap((host) => judgeForwarding(host.name, context.seen(host)!, { podCidr, mode }));
    return verdict(findings, { message: `${mode === 'scoped' ? `chain ${CHAIN}` : 'policy ACCEPT'} on ${count(hosts.length, 'node')}` });
  },
};

/** Takes what `iptables -S` prints of FORWARD and of our own chain. */
export function judgeForwarding(host: string, rules: string, { podCidr, mode }: { podCidr: string; mode: 'scoped' | 'accept' }): Finding[] {
  const lines = rules.split('\n');
  const policy = /^-P FORWARD (\w+)$/m.exec(rules)?.[1];
  const hint = 'systemctl restart slipway-forwarding puts the rules back; find out who removed them';
  const drops = policy === 'ACCEPT' ? '' : `, and the policy of FORWARD is ${policy ?? 'unknown'}: pod traffic is dropped`;
  if (policy === undefined)
    return [
      failing(host, 'iptables does not tell the rules of FORWARD', {
        evidence: `${host}: ${rules.trim()}`,
        hint: 'is iptables installed, and can it be run?',
      }),
    ];
  if (mode === 'accept') return policy === 'ACCEPT' ? [] : [failing(host, `the policy of FORWARD is ${policy}, not ACCEPT`, { hint })];

  const forward = lines.filter((line) => line.startsWith('-A FORWARD '));
  const jump = forward.findIndex((line) => line.includes(` -j ${CHAIN}`));
  const own = lines.filter((line) => line.startsWith(`-A ${CHAIN} `));
  const missing = [
    ...(own.some((line) => line.includes(`-s ${podCidr} `) && line.endsWith('-j ACCEPT')) ? [] : ['from pods']),
    ...(own.some((line) => line.includes(`-d ${podCidr} `) && line.endsWith('-j ACCEPT')) ? [] : ['to pods']),
  ];
  if (jump === -1) return [failing(host, `FORWARD does not lead to the chain ${CHAIN}${drops}`, { hint })];
  if (missing.length > 0) return [failing(host, `the chain ${CHAIN} does not accept traffic ${list(missing)}${drops}`, { hint })];
  const before = forward.slice(0, jump).filter((line) => / -j (?:DROP|REJECT)\b/.test(line));
  if (before.length > 0)
    return [
      failing(host, `FORWARD drops packets before the chain ${CHAIN} is reached`, {
        hint: 'systemctl restart slipway-forwarding moves it to its place',
        evidence: before.map((line) => `${host}: ${line}`).join('\n'),
      }),
    ];
  return [];
}
