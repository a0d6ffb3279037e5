import { flanneld } from '../components/flanneld.ts';
import { kubeProxy } from '../components/kube-proxy.ts';
import type { Phase } from '../engine/phase.ts';
import type { Context } from './context.ts';
import { install } from './install.ts';

export const network: Phase<Context> = {
  id: 'network',
  title: 'Pod network and Services',
  summary: 'Starts flanneld and kube-proxy on every node.',
  plan: (context) => install(context, flanneld, kubeProxy),
};
