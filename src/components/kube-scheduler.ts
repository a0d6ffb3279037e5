import type { Component } from './component.ts';
import { clientCertificate, kubeconfig } from './kubernetes-client.ts';
import { BIN, isControlPlane, localApiServer, UNITS } from './topology.ts';

const identity = { name: 'scheduler', user: 'system:kube-scheduler', server: localApiServer };
const CONFIG = `/etc/kubernetes/${identity.name}.conf`;

export const kubeScheduler: Component = {
  name: 'kube-scheduler',
  summary: 'Chooses a node for every pod.',
  runsOn: isControlPlane,
  rollout: 'one-by-one',
  ownedPaths: [`${UNITS}/kube-scheduler.service`],
  declare: () => ({
    artefacts: ['kube-scheduler'],
    files: [kubeconfig(identity)],
    certificates: [clientCertificate(identity)],
    unit: {
      name: 'kube-scheduler.service',
      path: `${UNITS}/kube-scheduler.service`,
      template: 'kube-scheduler/kube-scheduler.service.hbs',
      data: { binary: `${BIN}/kube-scheduler` },
      flags: [
        { name: 'kubeconfig', value: CONFIG },
        { name: 'authentication-kubeconfig', value: CONFIG },
        { name: 'authorization-kubeconfig', value: CONFIG },
        { name: 'bind-address', value: '127.0.0.1' },
        { name: 'profiling', value: 'false' },
      ],
    },
    ports: [{ port: 10259, protocol: 'tcp', from: 'local', purpose: 'scheduler health and metrics' }],
    health: { scheme: 'https', port: 10259, path: '/healthz' },
  }),
};
