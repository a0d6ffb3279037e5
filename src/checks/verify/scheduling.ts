import { quote } from '../../base/quote.ts';
import { KUBECTL } from '../../components/topology.ts';
import { failing, notTried, verdict, type VerifyCheck } from './verify.ts';

/** The whole way of a workload: Deployment, ReplicaSet, Pod (controller manager), node (scheduler), container (kubelet). */
export const scheduling: VerifyCheck = {
  id: 'scheduling',
  title: 'A Deployment gets its pod',
  trial: true,
  work: (
    { namespace },
    { patience },
  ) => `timeout ${patience + 5} ${KUBECTL} -n ${quote(namespace)} wait --for=condition=Available deployment/scheduled --timeout=${patience}s >/dev/null 2>&1 && echo available
${KUBECTL} -n ${quote(namespace)} get pods -l app=scheduled --request-timeout=10s -o go-template='{{range .items}}pod {{with .spec.nodeName}}{{.}}{{else}}-{{end}} {{.status.phase}}{{range .status.conditions}}{{if and (eq .type "PodScheduled") (eq .status "False")}} {{.message}}{{end}}{{end}}{{range .status.containerStatuses}}{{with .state.waiting}} {{.reason}} {{.message}}{{end}}{{end}}{{"\\n"}}{{end}}'`,
  run({ trial }) {
    if (trial.observer === undefined) return notTried(trial.problem ?? 'there is no trial');
    const lines = (trial.work['scheduling'] ?? '').trim().split('\n');
    const [, node, why = ''] = lines.map((line) => /^pod (\S+) (.*)$/.exec(line)).find((match) => match !== null) ?? [];
    if (lines.includes('available')) return verdict([], { message: `on ${node ?? 'a node'}` });
    if (node === undefined)
      return verdict(
        [failing([], 'nobody makes the pods of a Deployment', { hint: 'the controller manager does it: look at its check' })],
        { message: '' },
      );
    if (node === '-') {
      const refused = /nodes are available/.test(why);
      return verdict(
        [
          failing(
            [],
            refused ? `no node takes a pod: ${why.replace(/^Pending */, '')}` : 'nobody chooses a node for the pod of a Deployment',
            { hint: refused ? 'look at the nodes: kubectl describe nodes' : 'the scheduler does it: look at its check' },
          ),
        ],
        { message: '' },
      );
    }
    return verdict(
      [
        failing(node, `the pod of a Deployment does not start: ${why}`, {
          hint: 'the kubelet says why: journalctl -u kubelet on the node',
        }),
      ],
      { message: '' },
    );
  },
};
