import { etcdStore, flanneld } from '../components/flanneld.ts';
import { kubeProxy } from '../components/kube-proxy.ts';
import type { Phase } from '../engine/phase.ts';
import { startedWithApi } from './api-clients.ts';
import type { Context } from './context.ts';
import { flannelStoreStep } from './flannel-store.ts';
import { install } from './install.ts';
import { speakerOf } from './nodes.ts';

export const network: Phase<Context> = {
  id: 'network',
  title: 'Pod network and Services',
  summary: 'Starts flanneld and kube-proxy on every node.',
  plan(context) {
    const speaker = speakerOf(context);
    return startedWithApi(context, install(context, flanneld, kubeProxy)).map((step) =>
      speaker && (step.id.endsWith(etcdStore.key) || step.id.endsWith(`/${flanneld.name}/unit`))
        ? { ...step, needs: [...(step.needs ?? []), flannelStoreStep(speaker.name)] }
        : step,
    );
  },
};
