import { API_ENDPOINT_UNIT, apiEndpoint as component, CONFIG, ENDPOINT_HAS_READ, ENDPOINT_READS } from '../components/api-endpoint.ts';
import { flanneld } from '../components/flanneld.ts';
import { controlPlanes, leasesInEtcd } from '../components/topology.ts';
import type { Host } from '../config/cluster.ts';
import type { Phase } from '../engine/phase.ts';
import type { Desired } from '../engine/step.ts';
import { plannedHosts, stateOf, type Context } from './context.ts';
import { install, type Installation } from './install.ts';
import { rolledOut } from './rollout/index.ts';
import { readyStep, reloadStep, unitStep } from './step-ids.ts';

export const apiEndpoint: Phase<Context> = {
  id: 'api-endpoint',
  title: 'API endpoint on every node',
  summary: 'Starts the load balancer through which a node reaches all API servers.',
  plan: (context) => install(context, component).flatMap(withReload(context)),
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
  const limited = { ...context, limit: hosts.map(({ name }) => name) };
  const lists = install(limited, component).map((installation) => ({
    ...installation,
    inputs: installation.inputs.filter(isList).map(onItsOwn),
    start: undefined,
  }));
  const stores = leasesInEtcd(context.cluster) ? install(limited, flanneld) : [];
  return [
    ...lists.flatMap(withReload(context)),
    // etcd's members stand in its unit.
    ...stores.flatMap(({ inputs, start }) => [inputs.at(-1)!, start!].map(onItsOwn)),
  ];
}

const isList = ({ action }: Desired): boolean => action.kind === 'file' && action.path === CONFIG;

/** Without the phases that bring what it is made of: that is on the host already. */
const onItsOwn = ({ needs = [], after = [], ...step }: Desired): Desired => ({ ...step, after: [...needs, ...after] });

/** Whether the load balancer has read its list and its certificate. */
export const ENDPOINT_PROBE = { name: 'api-endpoint', script: `{ ${ENDPOINT_HAS_READ}; } && echo read || :` };

/** The last thing on such a host: a load balancer that runs reads its files again, once the API servers that are new in its list serve. */
function withReload(context: Context): (installation: Installation) => Desired[] {
  return (installation) => {
    const { host } = installation;
    const steps = rolledOut(context)(installation);
    const read = steps.filter(({ action }) => action.kind === 'file' && ENDPOINT_READS.includes(action.path)).map(({ id }) => id);
    if (read.length === 0 || stateOf(context, host).units[API_ENDPOINT_UNIT]?.active !== 'active') return steps;
    const reload: Desired = {
      id: reloadStep(host),
      host: host.name,
      summary: 'let the API endpoint read its files again',
      action: {
        kind: 'script',
        script: `{ ${ENDPOINT_HAS_READ}; } || systemctl reload ${API_ENDPOINT_UNIT}`,
        done: { probe: ENDPOINT_PROBE.name, lines: ['read'] },
      },
      lane: 'reloads',
      // Hosts are installed without it.
      drift: true,
      needs: read,
      after: [unitStep(host, component), ...controlPlanes(context.cluster).map(readyStep)],
      triggeredBy: read,
    };
    return [...steps, reload];
  };
}
