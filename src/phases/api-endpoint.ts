import { API_ENDPOINT_UNIT, apiEndpoint as component, CONFIG, CONFIG_IN_USE } from '../components/api-endpoint.ts';
import { flanneld } from '../components/flanneld.ts';
import { controlPlanes, leasesInEtcd } from '../components/topology.ts';
import type { Host } from '../config/cluster.ts';
import type { Phase } from '../engine/phase.ts';
import type { Desired } from '../engine/step.ts';
import { plannedHosts, type Context } from './context.ts';
import { install } from './install.ts';

export const apiEndpoint: Phase<Context> = {
  id: 'api-endpoint',
  title: 'API endpoint on every node',
  summary: 'Starts the load balancer through which a node reaches all API servers.',
  plan: (context) => withReloads(context, install(context, component)),
};

/** The same, with the list of API servers on every other host that was read: one that was not gets it from the next apply. */
export const everyApiEndpoint: Phase<Context> = {
  ...apiEndpoint,
  plan(context) {
    const others = context.cluster.hosts.filter((host) => context.facts[host.name] !== undefined && !plannedHosts(context).includes(host));
    return [...apiEndpoint.plan(context), ...endpointLists(context, others)];
  },
};

/** What names the control planes on hosts that are otherwise left alone; certificates and all else are the business of apply. */
export function endpointLists(context: Context, hosts: readonly Host[]): Desired[] {
  const readers = leasesInEtcd(context.cluster) ? [component, flanneld] : [component];
  const steps = install({ ...context, limit: hosts.map(({ name }) => name) }, ...readers);
  return withReloads(
    context,
    steps.filter(({ id }) => id.endsWith('/haproxy.cfg') || id.endsWith('/flanneld.service') || id.endsWith('/flanneld/unit')),
  );
}

/** Whether the load balancer has read its list. */
export const ENDPOINT_PROBE = { name: 'api-endpoint', script: `! cmp -s ${CONFIG} ${CONFIG_IN_USE} || echo read` };

/** The last thing on each of these hosts: a load balancer that runs reads its list again, once the API servers that are new in it serve. */
function withReloads(context: Context, steps: readonly Desired[]): Desired[] {
  return steps.flatMap((step) => {
    const { host, id, action } = step;
    const runs = context.states[host]?.units[API_ENDPOINT_UNIT]?.active === 'active';
    if (action.kind !== 'file' || action.path !== CONFIG || !runs) return [step];
    const reload: Desired = {
      id: reloadStep(host),
      host,
      words: 'let the API endpoint read its list',
      action: {
        kind: 'script',
        script: `cmp -s ${CONFIG} ${CONFIG_IN_USE} || systemctl reload ${API_ENDPOINT_UNIT}`,
        done: { probe: ENDPOINT_PROBE.name, lines: ['read'] },
      },
      lane: 'reloads',
      needs: [id, `${host}/api-endpoint/unit`, ...controlPlanes(context.cluster).map(({ name }) => `${name}/ready/units`)],
      dueWith: [id],
    };
    return [step, reload];
  });
}

export const reloadStep = (host: string): string => `${host}/api-endpoint/reload`;
