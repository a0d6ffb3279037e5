import { leadingCheck } from './leader.ts';

export const scheduler = leadingCheck('kube-scheduler', 'The schedulers are well, and one of them leads');
