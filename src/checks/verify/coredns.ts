import { isControlPlane, KUBECTL } from '../../components/topology.ts';
import { asked } from './health.ts';
import { failing, notTried, verdict, warning, type VerifyCheck } from './verify.ts';

interface Deployment {
  spec: { replicas?: number };
  status: { availableReplicas?: number };
}

export const coredns: VerifyCheck = {
  id: 'coredns',
  title: 'CoreDNS is available',
  applies: ({ cluster }) => cluster.addons.coredns,
  // The condition Available allows for one pod that is missing, which of one is all.
  probe: (host, { patience }) =>
    isControlPlane(host)
      ? `timeout ${patience + 2} ${KUBECTL} -n kube-system rollout status deployment/coredns --timeout=${patience}s >/dev/null 2>&1
${KUBECTL} get --raw /apis/apps/v1/namespaces/kube-system/deployments/coredns --request-timeout=10s
echo; echo '@pods'
${KUBECTL} -n kube-system get pods -l k8s-app=kube-dns --request-timeout=10s -o go-template='{{range .items}}{{.metadata.name}} on {{with .spec.nodeName}}{{.}}{{else}}no node{{end}}: {{.status.phase}}{{range .status.conditions}}{{if and (eq .type "PodScheduled") (eq .status "False")}} {{.message}}{{end}}{{end}}{{range .status.containerStatuses}}{{if not .ready}} not ready{{end}}{{with .state.waiting}} {{.reason}} {{.message}}{{end}}{{with .state.terminated}} {{.reason}} {{.message}}{{end}}{{end}}{{"\\n"}}{{end}}'`
      : undefined,
  run(context) {
    const answers = asked(context).map((host) => context.seen(host)!);
    const answer = answers.find((text) => text.startsWith('{')) ?? answers.find((text) => /NotFound/.test(text));
    if (answer === undefined) return notTried('no API server tells about it');
    if (!answer.startsWith('{'))
      return verdict([failing([], 'the Deployment coredns is missing in kube-system', { hint: 'slipway apply puts it back' })], {
        message: '',
      });
    const { spec, status } = JSON.parse(answer.slice(0, answer.indexOf('\n'))) as Deployment;
    const [wanted, available] = [spec.replicas ?? 1, status.availableReplicas ?? 0];
    const evidence = answer.slice(answer.indexOf('@pods\n') + 6).trim();
    const what = `${available} of ${wanted} pods of the Deployment coredns are available`;
    const findings =
      wanted === 0
        ? [failing([], 'the Deployment coredns is scaled to 0', { hint: 'kubectl -n kube-system scale deployment coredns --replicas=2' })]
        : available === 0
          ? [failing([], what, { evidence, hint: 'kubectl -n kube-system logs -l k8s-app=kube-dns tells more' })]
          : available < wanted
            ? [warning([], what, { evidence })]
            : [];
    return verdict(findings, { message: `${available} of ${wanted} pods`, data: { wanted, available } });
  },
};
