import { kubeApiserver } from '../components/kube-apiserver.ts';
import { kubeControllerManager } from '../components/kube-controller-manager.ts';
import { kubeScheduler } from '../components/kube-scheduler.ts';
import type { Phase } from '../engine/phase.ts';
import type { Context } from './context.ts';
import { install } from './install.ts';
import { rolledOut } from './rollout/index.ts';

export const controlPlane: Phase<Context> = {
  id: 'control-plane',
  title: 'Control plane',
  summary: 'Starts the API server, the controller manager and the scheduler; where they serve already, host by host.',
  plan: (context) => install(context, kubeApiserver, kubeControllerManager, kubeScheduler).flatMap(rolledOut(context)),
};
