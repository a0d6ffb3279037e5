import type { Component, PackageUse } from './component.ts';
import { clientCertificate } from './kubernetes-client.ts';
import { API_ENDPOINT_PORT, controlPlanes, isNode, nodeAddress, PKI, UNITS } from './topology.ts';

const CONFIG = '/etc/slipway/api-endpoint';
const identity = { name: 'api-endpoint', user: 'slipway-api-endpoint' };

/** What it needs of the distribution. */
export const apiEndpointPackages: readonly PackageUse[] = [{ name: 'haproxy', provides: ['haproxy'] }];

/** Nodes reach the API through their own loopback, so that no control plane is special. */
export const apiEndpoint: Component = {
  name: 'api-endpoint',
  summary: 'HAProxy on the loopback of every node, in front of all control planes.',
  runsOn: (host, cluster) => isNode(host) && cluster.api.endpoint === 'node-local',
  owns: [`${UNITS}/api-endpoint.service`],
  declare: ({ cluster }) => ({
    packages: apiEndpointPackages,
    directories: [{ path: CONFIG, mode: '0700' }],
    files: [
      {
        path: `${CONFIG}/haproxy.cfg`,
        from: {
          template: 'api-endpoint/haproxy.cfg.hbs',
          data: {
            port: API_ENDPOINT_PORT,
            authority: `${PKI}/ca.crt`,
            certificate: `${PKI}/${identity.name}.crt`,
            servers: controlPlanes(cluster).map((host) => ({ name: host.name, address: nodeAddress(host) })),
          },
        },
      },
    ],
    // HAProxy finds the key of FILE in FILE.key.
    certificates: [{ ...clientCertificate(identity), keyPath: `${PKI}/${identity.name}.crt.key` }],
    unit: {
      name: 'api-endpoint.service',
      path: `${UNITS}/api-endpoint.service`,
      template: 'api-endpoint/api-endpoint.service.hbs',
      data: { config: `${CONFIG}/haproxy.cfg` },
      restartOnRenewal: [identity.name],
    },
    ports: [{ port: API_ENDPOINT_PORT, protocol: 'tcp', from: 'local', purpose: 'the node’s way to the Kubernetes API' }],
  }),
};
