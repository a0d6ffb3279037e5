import { kubelet as component } from '../components/kubelet.ts';
import type { Phase } from '../engine/phase.ts';
import { startedWithApi } from './api-clients.ts';
import type { Context } from './context.ts';
import { install, stepsOf } from './install.ts';

export const kubelet: Phase<Context> = {
  id: 'kubelet',
  title: 'Kubelet',
  summary: 'Starts the kubelet, which registers the node.',
  plan: (context) => stepsOf(startedWithApi(context, install(context, component))),
};
