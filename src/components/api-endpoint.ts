import type { Component, PackageUse } from './component.ts';
import { clientCertificate } from './kubernetes-client.ts';
import { API_ENDPOINT_PORT, controlPlanes, isNode, nodeAddress, PKI, UNITS } from './topology.ts';

const DIRECTORY = '/etc/slipway/api-endpoint';
const RUN = '/run/api-endpoint';
export const CONFIG = `${DIRECTORY}/haproxy.cfg`;
/** A copy of what HAProxy has read last. */
const CONFIG_IN_USE = `${RUN}/haproxy.cfg`;
export const API_ENDPOINT_UNIT = 'api-endpoint.service';
const identity = { name: 'api-endpoint', user: 'slipway-api-endpoint' };
const client = clientCertificate(identity);
/** Certificate and key in one file: HAProxy before 2.4 (Debian 11 has 2.2) finds a key towards servers nowhere else. */
const PAIR = `${RUN}/client.pem`;
const bothOf = `cat ${client.certificatePath} ${client.keyPath}`;
/** What HAProxy reads again when it is told to: connections outlive that. */
export const ENDPOINT_READS: readonly string[] = [CONFIG, client.certificatePath, client.keyPath];
/** Shell text that succeeds when it has read them as they are. */
export const ENDPOINT_HAS_READ = `cmp -s ${CONFIG} ${CONFIG_IN_USE} && ${bothOf} | cmp -s - ${PAIR}`;

/** What it needs of the distribution. */
export const apiEndpointPackages: readonly PackageUse[] = [{ name: 'haproxy', provides: ['haproxy'] }];

/** Nodes reach the API through their own loopback, so that no control plane is special. */
export const apiEndpoint: Component = {
  name: 'api-endpoint',
  summary: 'HAProxy on the loopback of every node, in front of all control planes.',
  runsOn: (host, cluster) => isNode(host) && cluster.api.endpoint === 'node-local',
  rollout: 'batches',
  ownedPaths: [`${UNITS}/${API_ENDPOINT_UNIT}`],
  declare: ({ cluster }) => ({
    packages: apiEndpointPackages,
    directories: [{ path: DIRECTORY, mode: '0700' }],
    files: [
      {
        path: CONFIG,
        // By a step of its own.
        reloaded: true,
        from: {
          template: 'api-endpoint/haproxy.cfg.hbs',
          data: {
            port: API_ENDPOINT_PORT,
            authority: `${PKI}/ca.crt`,
            pair: PAIR,
            socket: `${RUN}/haproxy.sock`,
            servers: controlPlanes(cluster).map((host) => ({ name: host.name, address: nodeAddress(host) })),
          },
        },
      },
    ],
    certificates: [client],
    unit: {
      name: API_ENDPOINT_UNIT,
      path: `${UNITS}/${API_ENDPOINT_UNIT}`,
      template: 'api-endpoint/api-endpoint.service.hbs',
      data: { config: CONFIG, read: `umask 077; ${bothOf} >${PAIR}; cp ${CONFIG} ${CONFIG_IN_USE}` },
    },
    ports: [{ port: API_ENDPOINT_PORT, protocol: 'tcp', from: 'local', purpose: 'the node’s way to the Kubernetes API' }],
  }),
};
