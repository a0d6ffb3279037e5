import { isNode } from '../../components/topology.ts';
import { count, failing, list, notTried, verdict, type Finding, type VerifyCheck } from './verify.ts';

/** A network between the hosts that carries less than it says lets small packets pass, and every real transfer hang. */
export const packetSize: VerifyCheck = {
  id: 'packet-size',
  title: 'Packets of full size pass between pods',
  covers: isNode,
  trial: true,
  run({ trial, cluster }) {
    const nodes = Object.keys(trial.pods).filter((node) => trial.pods[node]!.address !== undefined);
    const nodeOf = (pod: string): string => nodes.find((node) => trial.pods[node]!.name === pod) ?? pod;
    const small = (from: string, to: string): boolean =>
      trial.calls[from]!.some((call) => call.kind === 'pod' && call.to === to && call.ok);
    const pairs = nodes.flatMap((from) =>
      trial.calls[from]!.filter((call) => call.kind === 'large' && small(from, call.to)).map((call) => ({ from, ...call })),
    );
    if (pairs.length === 0) return notTried('no pod reaches another');
    const findings: Finding[] = nodes.flatMap((from) => {
      const lost = pairs.filter((call) => call.from === from && !call.ok);
      if (lost.length === 0) return [];
      return [
        failing(from, `small packets reach ${list(lost.map(({ to }) => `the pod on ${nodeOf(to)}`))}, large ones do not`, {
          hint: `the network between the hosts carries smaller packets than their interfaces say: give the interfaces the right MTU, or set network.flannel.mtu${cluster.network.flannel.mtu ? ` (now ${cluster.network.flannel.mtu})` : ''}`,
          evidence: lost
            .slice(0, 3)
            .map(({ to, answer }) => `${from} to ${nodeOf(to)}: ${answer}`)
            .join('\n'),
        }),
      ];
    });
    return verdict(findings, { message: count(pairs.length, 'pair') });
  },
};
