import { isNode } from '../../components/topology.ts';
import { asked, healthFindings, healthProbe } from './health.ts';
import { count, verdict, type VerifyCheck } from './verify.ts';

export const kubelet: VerifyCheck = {
  id: 'kubelet',
  title: 'Every kubelet is well',
  covers: isNode,
  probe: (host, context) => healthProbe(context, { host, component: 'kubelet' }),
  run: (context) => verdict(healthFindings(context, 'kubelet'), { message: count(asked(context).length, 'kubelet') }),
};
