import { contains } from '../addresses.ts';
import type { Problem } from '../problem.ts';
import type { Rule } from './rules.ts';

const ENDPOINT = ['spec', 'api', 'endpoint', 'host'] as const;

const endpointApart: Rule = {
  needs: ['network.podCidr', 'network.serviceCidr'],
  check: ({ api: { endpoint }, network }) => {
    if (endpoint === 'node-local') return [];
    return (['podCidr', 'serviceCidr'] as const)
      .filter((field) => contains(network[field], endpoint.host))
      .map((field) => ({
        path: ENDPOINT,
        message: `${endpoint.host} lies in ${field}, ${network[field]}`,
        hint: "The load balancer must be outside of the cluster's own networks.",
      }));
  },
};

const endpointIsNoHost: Rule = {
  needs: ['hosts.roles'],
  check: (cluster) => {
    const { endpoint } = cluster.api;
    if (endpoint === 'node-local') return [];
    const controlPlanes = cluster.hosts.filter((host) => host.roles.includes('control-plane'));
    const own = controlPlanes.find((host) => [host.address, host.privateAddress, host.name].includes(endpoint.host));
    if (own === undefined || controlPlanes.length < 2) return [];
    const problem: Problem = {
      path: ENDPOINT,
      message: `${endpoint.host} is one of the ${controlPlanes.length} control planes: when it is down, no node reaches the others`,
      hint: 'Use endpoint: node-local, or the address of a load balancer.',
      warning: 'ENDPOINT_SINGLE',
    };
    return [problem];
  },
};

const mirrorsOnce: Rule = {
  needs: [],
  check: ({ runtime: { registryMirrors } }) =>
    registryMirrors.flatMap((mirror, i) => {
      const first = registryMirrors.findIndex((other) => other.registry === mirror.registry);
      if (first === i) return [];
      const path = ['spec', 'runtime', 'registryMirrors', i, 'registry'];
      return [
        {
          path,
          message: `${mirror.registry} has mirrors in registryMirrors[${first}] already`,
          hint: 'Put all endpoints of a registry in one entry.',
        },
      ];
    }),
};

const bundleHasAll: Rule = {
  needs: ['artifacts'],
  check: ({ artifacts: { source, overrides } }) => {
    const [name] = Object.keys(overrides);
    if (name === undefined || typeof source !== 'object' || !('bundle' in source)) return [];
    return [
      {
        path: ['spec', 'artifacts', 'overrides', name],
        message: 'with a bundle, everything comes from the bundle',
        hint: 'Name the source where the bundle is made: what slipway bundle create finds in the cluster file goes into it.',
      },
    ];
  },
};

export const serviceRules: readonly Rule[] = [endpointApart, endpointIsNoHost, mirrorsOnce, bundleHasAll];
