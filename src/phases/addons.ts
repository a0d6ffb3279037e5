import { imageReference } from '../artifacts/catalogue.ts';
import { kubeApiserver } from '../components/kube-apiserver.ts';
import { metricsServerCertificate } from '../components/metrics-server.ts';
import { controlPlanes, dnsServiceAddress, isNode, PKI } from '../components/topology.ts';
import type { Host } from '../config/cluster.ts';
import type { Phase } from '../engine/phase.ts';
import { wantedDigest } from '../engine/plan.ts';
import type { Desired, ScriptAction } from '../engine/step.ts';
import { clusterAdmins, superAdmins } from '../components/groups.ts';
import { installOn } from './install.ts';
import { plannedHosts, stateOf, type Context } from './context.ts';
import { dropUnreadable } from './foreign/objects.ts';
import { certificateState, referenceState } from './issue-certificates.ts';
import { applyManifest, isApplied, removeService } from './manifests.ts';
import { observerOf } from './nodes.ts';
import { addonStep, apiStep, identityStep, unitStep } from './step-ids.ts';

export const addons: Phase<Context> = {
  id: 'addons',
  title: 'Cluster services',
  summary: 'Grants the components’ permissions, and starts CoreDNS and metrics-server.',
  plan(context) {
    const { cluster } = context;
    const observer = observerOf(context);
    if (!observer) return [];
    const apply = (name: string, summary: string, text: string): Desired => ({
      id: addonStep(observer, name),
      host: observer.name,
      summary,
      action: applyManifest(name, text),
      lane: 'api',
    });

    const work: Desired[] = [
      apply('access', 'grant the components their permissions', context.render('cluster/access.yaml.hbs', { clusterAdmins, superAdmins })),
      {
        id: addonStep(observer, 'identity'),
        host: observer.name,
        summary: "write the cluster's id into it",
        action: applyManifest('identity', context.render('cluster/identity.yaml.hbs', {}), 'cluster id'),
        lane: 'api',
        needs: [identityStep(observer)],
      },
      ...(cluster.addons.coredns && everyNodeWasRead(context) ? [apply('coredns', 'apply CoreDNS', coredns(context))] : []),
      ...metricsServer(context),
      apply(
        'service-accounts',
        'take the API token away from default ServiceAccounts',
        context.render('cluster/service-accounts.yaml.hbs', { namespaces: ['default', 'kube-node-lease', 'kube-public', 'kube-system'] }),
      ),
    ];
    const unreadable = dropUnreadable(context, observer);
    const ready: Desired = {
      id: apiStep(observer),
      host: observer.name,
      summary: 'wait until the API server is ready',
      action: {
        kind: 'wait',
        // The unit is active when the API server is ready: it has asked by itself (kube-apiserver.service.hbs).
        condition: 's=$(systemctl is-active kube-apiserver) || { echo "kube-apiserver is $s"; exit 1; }',
        timeoutSeconds: 180,
        units: ['etcd.service', 'kube-apiserver.service'],
        // Neither waits for anything else that may not be there yet: an API server waits 20 s for its etcd before it ends.
        restarts: 12,
      },
      lane: 'api',
      needs: [unitStep(observer, kubeApiserver)],
      onlyIfAny: [
        ...[...unreadable, ...work].map((step) => step.id),
        ...controlPlanes(cluster).map((host) => unitStep(host, kubeApiserver)),
      ],
    };
    return [ready, ...unreadable, ...work];
  },
};

/** CoreDNS' configuration depends on all nodes: with one of them out of a limit's reach it stays as it is. */
function everyNodeWasRead({ cluster, facts }: Context): boolean {
  return cluster.hosts.filter(isNode).every(({ name }) => facts[name] !== undefined);
}

function coredns(context: Context): string {
  const { cluster, facts } = context;
  return context.render('coredns/coredns.yaml.hbs', {
    image: imageReference('image-coredns', context.versions.coredns),
    clusterDomain: cluster.network.clusterDomain,
    clusterIp: dnsServiceAddress(cluster),
    replicas: cluster.hosts.filter(isNode).length > 1 ? 2 : 1,
    // CoreDNS does not start with nothing to forward to.
    forward: cluster.hosts.filter(isNode).every((host) => facts[host.name]!.resolvConf.nameservers.length > 0),
  });
}

/** Through the control plane that has its certificate. */
function metricsServer(context: Context): Desired[] {
  const { cluster, render, versions } = context;
  const observer = controlPlanes(cluster)[0]!;
  if (!plannedHosts(context).includes(observer)) return [];
  const { certificatePath: certificate, keyPath: key } = metricsServerCertificate;
  const authority = `${PKI}/ca.crt`;
  // The Secret first: without it no pod starts, and the kubelet looks for it again only after a while.
  const parts = [
    {
      name: 'metrics-server-tls',
      text: render('metrics-server/tls.yaml.hbs', { certificate, key, authority }),
      filledIn: tlsInputs(context, observer),
    },
    {
      name: 'metrics-server',
      text: render('metrics-server/metrics-server.yaml.hbs', { image: imageReference('image-metrics-server', versions.metricsServer) }),
    },
  ];
  const step = (name: string, summary: string, action: ScriptAction): Desired => ({
    id: addonStep(observer, name),
    host: observer.name,
    summary,
    action,
    needs: [apiStep(observer)],
    // The host's shell reads them.
    after: installOn(context, observer, kubeApiserver)
      .flatMap(({ inputs }) => inputs)
      .filter(({ action }) => action.kind === 'file' && [certificate, key].includes(action.path))
      .map(({ id }) => id),
  });
  if (cluster.addons.metricsServer)
    return parts.map(({ name, text, filledIn }) => ({
      ...step(
        name,
        filledIn === undefined ? 'apply metrics-server' : 'give metrics-server its certificate',
        applyManifest(name, text, filledIn),
      ),
      // Another certificate is no other wish.
      ...(filledIn === undefined ? {} : { wanted: wantedDigest({ action: applyManifest(name, text) }) }),
    }));
  const manifests = parts.map(({ name }) => name);
  if (!manifests.some((name) => isApplied(stateOf(context, observer), name))) return [];
  return [
    step('metrics-server', 'remove metrics-server', removeService({ service: 'metrics-server', manifests, files: [certificate, key] })),
  ];
}

/** What the host's files are made of: another one means that the Secret must be written again. */
function tlsInputs(context: Context, observer: Host): string {
  const { generation } = certificateState(context, observer, metricsServerCertificate);
  return `certificate ${generation}, authority ${referenceState(context, 'authority:kubernetes').generation}`;
}
