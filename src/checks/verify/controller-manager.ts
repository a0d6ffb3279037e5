import { leadingCheck } from './leader.ts';

export const controllerManager = leadingCheck('kube-controller-manager', 'The controller managers are well, and one of them leads');
