import { isNode } from '../../components/topology.ts';
import { count, failing, notTried, verdict, type Finding, type VerifyCheck } from './verify.ts';

export const services: VerifyCheck = {
  id: 'services',
  title: 'Service addresses work from every pod and every host',
  covers: isNode,
  trial: true,
  run({ trial, cluster }) {
    const calls = Object.entries(trial.calls).flatMap(([node, own]) =>
      own.filter(({ kind }) => kind === 'service' || kind === 'host-service').map((call) => ({ node, ...call })),
    );
    if (calls.length === 0) return notTried('no pod runs');
    const hint = `kube-proxy (${cluster.network.proxy.mode}) makes them work: look at its check, and at the pod network`;
    const findings: Finding[] = calls
      .filter(({ ok }) => !ok)
      .map(({ node, kind, answer }) =>
        failing(node, `${kind === 'service' ? 'pods here do' : 'the host does'} not reach the address of a Service`, {
          hint,
          evidence: `${node}${kind === 'service' ? ' (pod)' : ''} to ${trial.services?.echo}: ${answer}`,
        }),
      );
    return verdict(findings, {
      message: `${trial.services?.echo} from ${count(calls.filter(({ kind }) => kind === 'service').length, 'pod')} and ${count(calls.filter(({ kind }) => kind === 'host-service').length, 'host')}`,
    });
  },
};
