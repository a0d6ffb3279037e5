import { apiEndpoint as component } from '../components/api-endpoint.ts';
import type { Phase } from '../engine/phase.ts';
import { plannedHosts, type Context } from './context.ts';
import { install } from './install.ts';

export const apiEndpoint: Phase<Context> = {
  id: 'api-endpoint',
  title: 'API endpoint on every node',
  summary: 'Starts the load balancer through which a node reaches all API servers.',
  plan: (context) => install(context, component),
};

/** The same, with the list of API servers on every other host that was read: one that was not gets it from the next apply. */
export const everyApiEndpoint: Phase<Context> = {
  ...apiEndpoint,
  plan(context) {
    const others = context.cluster.hosts.filter((host) => context.facts[host.name] !== undefined && !plannedHosts(context).includes(host));
    const listed = install({ ...context, limit: others.map(({ name }) => name) }, component).filter(
      // Certificates are the business of apply.
      ({ id }) => id.endsWith('/haproxy.cfg') || id.endsWith('.service') || id.endsWith('/unit'),
    );
    return [...install(context, component), ...listed];
  },
};
