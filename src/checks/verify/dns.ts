import { dnsServiceAddress, isNode } from '../../components/topology.ts';
import { count, failing, notTried, verdict, type VerifyCheck } from './verify.ts';

/** What the pod's resolver says when it is the resolver. */
const LOOKUP = /lookup|no such host|server misbehaving|no answer within/;

export const dns: VerifyCheck = {
  id: 'dns',
  title: 'Pods reach a Service by its name',
  covers: isNode,
  trial: true,
  applies: ({ cluster }) => cluster.addons.coredns,
  run({ trial, cluster }) {
    const calls = Object.entries(trial.calls).flatMap(([node, own]) =>
      own.filter(({ kind }) => kind === 'dns').map((call) => ({ node, ...call })),
    );
    if (calls.length === 0) return notTried('no pod runs');
    // Where no Service is reached, its name is not to blame.
    const deaf = (node: string): boolean => trial.calls[node]!.some(({ kind, ok }) => kind === 'service' && !ok);
    const findings = calls
      .filter(({ node, ok, answer }) => !ok && !(deaf(node) && !LOOKUP.test(answer)))
      .map(({ node, answer }) => {
        const evidence = `${node}: ${answer}`;
        if (/no such host/.test(answer)) {
          return failing(node, 'CoreDNS answers, but does not know a Service that was made a moment ago', {
            hint: 'it follows the API, and should have heard of it by now: kubectl -n kube-system logs -l k8s-app=kube-dns',
            evidence,
          });
        }
        if (LOOKUP.test(answer)) {
          const hint = `the resolver ${dnsServiceAddress(cluster)} does not answer: look at the checks of CoreDNS, Service addresses and the pod network`;
          return failing(node, 'pods cannot resolve the names of Services', { hint, evidence });
        }
        return failing(node, 'pods resolve the name of a Service, but do not reach it', {
          hint: 'look at the check of Service addresses',
          evidence,
        });
      });
    if (findings.length === 0 && calls.every(({ ok }) => !ok)) return notTried('Service addresses do not work');
    return verdict(findings, { message: `from ${count(calls.length, 'node')}` });
  },
};
