import { dnsServiceAddress } from '../../components/topology.ts';
import { count, failing, notTried, verdict, type VerifyCheck } from './verify.ts';

export const dns: VerifyCheck = {
  id: 'dns',
  title: 'Pods reach a Service by its name',
  trial: true,
  applies: ({ cluster }) => cluster.addons.coredns,
  run({ trial, cluster }) {
    const calls = Object.entries(trial.calls).flatMap(([node, own]) =>
      own.filter(({ kind }) => kind === 'dns').map((call) => ({ node, ...call })),
    );
    if (calls.length === 0) return notTried('no pod runs');
    const findings = calls
      .filter(({ ok }) => !ok)
      .map(({ node, answer }) =>
        /lookup|no such host|server misbehaving|no answer within/.test(answer)
          ? failing(node, `pods cannot resolve the names of Services`, {
              hint: `look at the checks of CoreDNS and of Service addresses (the resolver is ${dnsServiceAddress(cluster)})`,
              evidence: `${node}: ${answer}`,
            })
          : failing(node, 'pods resolve the name of a Service, but do not reach it', {
              hint: 'look at the check of Service addresses',
              evidence: `${node}: ${answer}`,
            }),
      );
    return verdict(findings, { message: `from ${count(calls.length, 'node')}` });
  },
};
