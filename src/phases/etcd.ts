import { etcd as component } from '../components/etcd.ts';
import type { Phase } from '../engine/phase.ts';
import type { Context } from './context.ts';
import { install } from './install.ts';

export const etcd: Phase<Context> = {
  id: 'etcd',
  title: 'etcd',
  summary: 'Starts all etcd members together, each under its own user.',
  plan: (context) => install(context, component),
};
