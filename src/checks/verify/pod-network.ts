import { isNode } from '../../components/topology.ts';
import { count, failing, list, notTried, verdict, type CheckResult, type Finding, type VerifyCheck } from './verify.ts';
import type { Trial } from './trial.ts';

export const podNetwork: VerifyCheck = {
  id: 'pod-network',
  title: 'Every pod reaches every other pod, on whatever node',
  covers: isNode,
  trial: true,
  run: ({ trial }) => judge(trial),
};

/** Who cannot reach whom, said as a person would: by node where it is a node's fault. */
function judge(trial: Trial): CheckResult {
  const nodes = Object.keys(trial.pods).filter((node) => trial.pods[node]!.address !== undefined);
  if (nodes.length === 0) return notTried('no pod runs');
  const nodeOf = new Map(nodes.map((node) => [trial.pods[node]!.name, node]));
  const called = nodes.flatMap((from) =>
    trial.calls[from]!.filter(({ kind }) => kind === 'pod').map((call) => ({
      ...call,
      from,
      to: nodeOf.get(call.to)!,
      wrong: call.ok && call.answer !== call.to,
    })),
  );
  const deaf = nodes.filter((node) => trial.calls[node]!.some(({ kind, ok }) => kind === 'host' && !ok));
  const findings: Finding[] = deaf.map((node) => {
    const { answer } = trial.calls[node]!.find(({ kind, ok }) => kind === 'host' && !ok)!;
    return failing(node, 'the host does not reach its own pod', {
      hint: 'look at the bridge cni0 and the INPUT and OUTPUT rules of the host',
      evidence: `${node} to ${trial.pods[node]!.address}: ${answer}`,
    });
  });
  const bad = called.filter(({ from, ok, wrong }) => !deaf.includes(from) && (!ok || wrong));
  const isBad = (from: string, to: string): boolean => bad.some((call) => call.from === from && call.to === to);
  const judged = nodes.filter((node) => !deaf.includes(node));
  const cutOff = judged.filter((node) => {
    const others = judged.filter((other) => other !== node);
    return others.length > 0 && others.every((other) => isBad(node, other) && isBad(other, node));
  });
  const hint = 'look at the forwarding and flannel checks of these hosts; between hosts, UDP port 8472 (vxlan) must pass';
  const evidenceOf = (calls: typeof bad): string =>
    calls
      .slice(0, 4)
      .map(({ from, to, answer, wrong }) => `${from} to ${to} (${trial.pods[to]!.address}): ${wrong ? `${answer} answered` : answer}`)
      .join('\n');
  if (cutOff.length > 0 && cutOff.length === judged.length) {
    findings.push(
      failing(cutOff, 'no pod reaches a pod on another node', { hint, evidence: evidenceOf(bad.filter(({ from, to }) => from !== to)) }),
    );
  } else {
    for (const node of cutOff)
      findings.push(
        failing(node, 'pods here and pods on other nodes do not reach each other', {
          hint,
          evidence: evidenceOf(bad.filter(({ from, to }) => from !== to && (from === node || to === node))),
        }),
      );
  }
  const rest = bad.filter(({ from, to }) => from === to || (!cutOff.includes(from) && !cutOff.includes(to)));
  for (const from of new Set(rest.map((call) => call.from))) {
    const calls = rest.filter((call) => call.from === from);
    findings.push(
      failing(from, `a pod here does not reach ${list(calls.map(({ to }) => (to === from ? 'itself' : `the pod on ${to}`)))}`, {
        hint,
        evidence: evidenceOf(calls),
      }),
    );
  }
  return verdict(findings, {
    message: `${count(called.length, 'pair')} of ${count(nodes.length, 'node')}`,
    data: { pairs: called.map(({ from, to, ok, wrong }) => ({ from, to, ok: ok && !wrong })) },
  });
}
