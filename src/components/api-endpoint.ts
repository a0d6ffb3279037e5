import type { Component, PackageUse } from './component.ts';
import { clientCertificate } from './kubernetes-client.ts';
import { API_ENDPOINT_PORT, controlPlanes, isNode, nodeAddress, PKI, UNITS } from './topology.ts';

const CONFIG = '/etc/slipway/api-endpoint';
const identity = { name: 'api-endpoint', user: 'slipway-api-endpoint' };
const client = clientCertificate(identity);
/** Certificate and key in one file: HAProxy before 2.4 (Debian 11 has 2.2) finds a key towards servers nowhere else. */
const PAIR = '/run/api-endpoint/client.pem';

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
            pair: PAIR,
            servers: controlPlanes(cluster).map((host) => ({ name: host.name, address: nodeAddress(host) })),
          },
        },
      },
    ],
    certificates: [client],
    unit: {
      name: 'api-endpoint.service',
      path: `${UNITS}/api-endpoint.service`,
      template: 'api-endpoint/api-endpoint.service.hbs',
      data: { config: `${CONFIG}/haproxy.cfg`, certificate: client.certificatePath, key: client.keyPath, pair: PAIR },
      restartOnRenewal: [identity.name],
    },
    ports: [{ port: API_ENDPOINT_PORT, protocol: 'tcp', from: 'local', purpose: 'the node’s way to the Kubernetes API' }],
  }),
};
