import { etcdStore, flanneld } from '../components/flanneld.ts';
import { kubeProxy } from '../components/kube-proxy.ts';
import { leasesInEtcd } from '../components/topology.ts';
import type { Phase } from '../engine/phase.ts';
import { waiting, type Desired } from '../engine/step.ts';
import { startedWithApi } from './api-clients.ts';
import type { Context } from './context.ts';
import { install, type Installation } from './install.ts';
import { observerOf } from './nodes.ts';
import { rolledOut } from './rollout/index.ts';
import { flannelStoreStep } from './step-ids.ts';

export const network: Phase<Context> = {
  id: 'network',
  title: 'Pod network and Services',
  summary: 'Starts flanneld and kube-proxy on every node; batch by batch where they serve already.',
  plan: (context) =>
    startedWithApi(context, install(context, flanneld, kubeProxy).map(onceStoreIsMade(context))).flatMap(rolledOut(context)),
};

/** Nobody gets a key to etcd before etcd asks its clients who they are. */
function onceStoreIsMade(context: Context): (installation: Installation) => Installation {
  const observer = observerOf(context);
  if (!leasesInEtcd(context.cluster) || observer === undefined) return (installation) => installation;
  const made = { needs: [flannelStoreStep(observer)] };
  return ({ component, inputs, start, ...rest }) => {
    if (component !== flanneld) return { component, inputs, start, ...rest };
    const isKey = ({ action }: Desired): boolean => action.kind === 'file' && action.path === etcdStore.key;
    return {
      component,
      inputs: inputs.map((step) => (isKey(step) ? waiting(step, made) : step)),
      start: start && waiting(start, made),
      ...rest,
    };
  };
}
