import { apiEndpoint as component } from '../components/api-endpoint.ts';
import type { Phase } from '../engine/phase.ts';
import type { Context } from './context.ts';
import { install } from './install.ts';

export const apiEndpoint: Phase<Context> = {
  id: 'api-endpoint',
  title: 'API endpoint on every node',
  summary: 'Starts the load balancer through which a node reaches all API servers.',
  plan: (context) => install(context, component),
};
