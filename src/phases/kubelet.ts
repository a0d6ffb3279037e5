import { kubelet as component } from '../components/kubelet.ts';
import type { Phase } from '../engine/phase.ts';
import { startedWithApi } from './api-clients.ts';
import type { Context } from './context.ts';
import { install } from './install.ts';
import { rolledOut } from './rollout/index.ts';

export const kubelet: Phase<Context> = {
  id: 'kubelet',
  title: 'Kubelet',
  summary: 'Starts the kubelet, which registers the node; batch by batch where it serves already.',
  plan: (context) => startedWithApi(context, install(context, component)).flatMap(rolledOut(context)),
};
