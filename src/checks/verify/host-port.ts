import { isNode } from '../../components/topology.ts';
import { count, failing, notTried, verdict, type VerifyCheck, type VerifyContext } from './verify.ts';

/** Below the ports that clients and NodePort Services get. */
const FIRST = 20_000;

/** A port on which no node listens. */
export function freePort({ cluster, facts }: VerifyContext): number {
  const taken = new Set(cluster.hosts.filter(isNode).flatMap(({ name }) => facts[name]?.listening.map(({ port }) => port) ?? []));
  let port = FIRST;
  while (taken.has(port)) port++;
  return port;
}

export const hostPort: VerifyCheck = {
  id: 'host-port',
  title: "A node's port leads to the pod that asked for it",
  covers: isNode,
  deep: true,
  trial: true,
  run({ trial }) {
    const calls = Object.entries(trial.calls).flatMap(([from, own]) =>
      own.filter(({ kind }) => kind === 'host-port').map((call) => ({ from, ...call })),
    );
    if (calls.length === 0) return notTried('no pod runs');
    const nodeOf = new Map(Object.entries(trial.pods).map(([node, { name }]) => [name, node]));
    const findings = calls
      .filter(({ ok, answer, to }) => !ok || answer !== to)
      .map(({ from, to, answer }) =>
        failing(nodeOf.get(to) ?? [], "a pod's hostPort is not reached from another host", {
          hint: 'the CNI plugin portmap makes it (chains CNI-HOSTPORT-* of the table nat), and the way to it is forwarded: look at the forwarding check',
          evidence: `${from} to the port of ${to}: ${answer}`,
        }),
      );
    return verdict(findings, { message: `on ${count(new Set(calls.map(({ to }) => to)).size, 'node')}` });
  },
};
