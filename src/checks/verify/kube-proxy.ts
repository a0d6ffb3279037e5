import { isNode } from '../../components/topology.ts';
import { asked, healthFindings, healthProbe } from './health.ts';
import { count, verdict, type VerifyCheck } from './verify.ts';

export const kubeProxy: VerifyCheck = {
  id: 'kube-proxy',
  title: 'Every kube-proxy is well and up to date',
  covers: isNode,
  probe: (host, context) => healthProbe(context, { host, component: 'kube-proxy' }),
  run: (context) =>
    verdict(healthFindings(context, 'kube-proxy'), {
      message: `on ${count(asked(context).length, 'node')}, ${context.cluster.network.proxy.mode}`,
    }),
};
