import { apiEndpoint as component } from '../components/api-endpoint.ts';
import { flanneld } from '../components/flanneld.ts';
import { leasesInEtcd } from '../components/topology.ts';
import type { Host } from '../config/cluster.ts';
import type { Phase } from '../engine/phase.ts';
import type { Desired } from '../engine/step.ts';
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
    return [...install(context, component), ...endpointLists(context, others)];
  },
};

/** What names the control planes on hosts that are otherwise left alone; certificates and all else are the business of apply. */
export function endpointLists(context: Context, hosts: readonly Host[]): Desired[] {
  const readers = leasesInEtcd(context.cluster) ? [component, flanneld] : [component];
  return install({ ...context, limit: hosts.map(({ name }) => name) }, ...readers).filter(
    ({ id }) => id.endsWith('/haproxy.cfg') || id.endsWith('.service') || id.endsWith('/unit'),
  );
}
