import { forwarding as component } from '../components/forwarding.ts';
import type { Phase } from '../engine/phase.ts';
import type { Context } from './context.ts';
import { install } from './install.ts';
import { rolledOut } from './rollout/index.ts';

export const forwarding: Phase<Context> = {
  id: 'forwarding',
  title: 'Forwarding',
  summary: 'Lets pod traffic, and only that, pass the hosts’ FORWARD chains.',
  plan: (context) => install(context, component).flatMap(rolledOut(context)),
};
