import { isControlPlane, isNode, KUBECTL } from '../../components/topology.ts';
import { asked } from './health.ts';
import { count, failing, notTried, verdict, type VerifyCheck } from './verify.ts';

interface Metrics {
  items: { metadata: { name: string } }[];
}

export const metrics: VerifyCheck = {
  id: 'metrics',
  title: 'metrics-server knows every node',
  applies: ({ cluster }) => cluster.addons.metricsServer,
  // It is ready when it has asked every kubelet twice; the API server finds that out a moment later.
  probe: (host, { cluster, patience }) =>
    isControlPlane(host)
      ? `s_end=$(($(date +%s) + ${patience}))
until s_said=$(${KUBECTL} get --raw /apis/metrics.k8s.io/v1beta1/nodes --request-timeout=5s 2>&1) && [ "$(printf '%s' "$s_said" | grep -o '"timestamp"' | wc -l)" -ge ${cluster.hosts.filter(isNode).length} ]; do
  [ "$(date +%s)" -lt "$s_end" ] || break
  sleep 0.5
done
printf '%s\\n@log\\n' "$s_said"
case $s_said in '{'*) ;; *) ${KUBECTL} -n kube-system get pods -l k8s-app=metrics-server --request-timeout=5s 2>&1 ;; esac
${KUBECTL} -n kube-system logs -l k8s-app=metrics-server --tail=5 --request-timeout=5s 2>&1`
      : undefined,
  run(context) {
    const answers = asked(context).map((host) => context.seen(host)!);
    const answer = answers.find((text) => text.startsWith('{')) ?? answers[0];
    if (answer === undefined) return notTried('no API server tells about it');
    const [said = '', log = ''] = answer.split('\n@log\n');
    const hint = 'kubectl -n kube-system logs -l k8s-app=metrics-server tells more; it must reach port 10250 of every node';
    if (!said.startsWith('{'))
      return verdict([failing([], `the metrics API does not answer: ${said.split('\n').at(-1)!}`, { hint, evidence: log.trim() })], {
        message: '',
      });
    const known = new Set((JSON.parse(said) as Metrics).items.map(({ metadata }) => metadata.name));
    const nodes = context.cluster.hosts.filter(isNode);
    const unknown = nodes.filter(({ name }) => !known.has(name)).map(({ name }) => name);
    return verdict(
      unknown.length === 0 ? [] : [failing(unknown, 'metrics-server has nothing of the node', { hint, evidence: log.trim() })],
      {
        message: `${nodes.length - unknown.length} of ${count(nodes.length, 'node')}`,
      },
    );
  },
};
