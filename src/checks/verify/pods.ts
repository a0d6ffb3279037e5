import { isNode } from '../../components/topology.ts';
import { UNANSWERED } from './trial.ts';
import { count, failing, notTried, verdict, type VerifyCheck } from './verify.ts';

/** What a pod that does not start says, and what it points to. */
const signs: readonly (readonly [RegExp, string])[] = [
  [
    /ErrImageNeverPull/,
    'the test image is gone from the node (image garbage collection removes what is not used): slipway apply imports it again',
  ],
  [
    /cni|network plugin|failed to set up(?: pod)? network/i,
    'the pod network cannot be set up: look at flanneld and /etc/cni/net.d on the host',
  ],
  [/OutOfpods|Outof/, 'the node is full'],
  [/does not run/, 'look at what the units check says'],
];

export const pods: VerifyCheck = {
  id: 'pods',
  title: 'A pod starts on every node',
  covers: isNode,
  trial: true,
  run({ trial }) {
    if (trial.problem === UNANSWERED) return notTried(UNANSWERED);
    if (trial.observer === undefined) {
      const hint = 'look at what the checks of the API server and etcd say';
      return verdict([failing([], trial.problem ?? 'there is no trial', { hint, evidence: trial.evidence })], { message: '' });
    }
    const findings = Object.entries(trial.pods).flatMap(([node, { problem }]) =>
      problem === undefined
        ? []
        : [
            failing(node, `no pod starts: ${problem}`, {
              hint: signs.find(([pattern]) => pattern.test(problem))?.[1] ?? 'the kubelet says why: journalctl -u kubelet on the host',
            }),
          ],
    );
    return verdict(findings, { message: `on ${Object.keys(trial.pods).length} of ${count(Object.keys(trial.pods).length, 'node')}` });
  },
};
