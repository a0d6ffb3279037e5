import { isNode } from '../../components/topology.ts';
import { count, failing, notTried, verdict, type VerifyCheck } from './verify.ts';

export const hairpin: VerifyCheck = {
  id: 'hairpin',
  title: 'A pod reaches itself through its Service',
  covers: isNode,
  trial: true,
  run({ trial }) {
    const calls = Object.entries(trial.calls).flatMap(([node, own]) =>
      own.some(({ kind, ok }) => kind === 'service' && !ok)
        ? []
        : own.filter(({ kind }) => kind === 'self').map((call) => ({ node, ...call })),
    );
    if (calls.length === 0) return notTried('no pod reaches a Service');
    const findings = calls.flatMap(({ node, ok, answer }) =>
      ok && answer === trial.pods[node]!.name
        ? []
        : [
            failing(node, ok ? 'a Service for the own node leads to another one' : 'a pod here does not reach itself through its Service', {
              hint: ok
                ? 'kube-proxy does not heed internalTrafficPolicy: look at its check'
                : 'the bridge needs hairpin mode (/etc/cni/net.d), and net.bridge.bridge-nf-call-iptables must be 1',
              evidence: `${node} to ${trial.services?.self}: ${answer}`,
            }),
          ],
    );
    return verdict(findings, { message: `on ${count(calls.length, 'node')}` });
  },
};
