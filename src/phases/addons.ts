import { imageReference } from '../artifacts/catalogue.ts';
import { metricsServerCertificate } from '../components/metrics-server.ts';
import { controlPlanes, dnsServiceAddress, isNode, PKI } from '../components/topology.ts';
import type { Host } from '../config/cluster.ts';
import type { Phase } from '../engine/phase.ts';
import { digestOf } from '../engine/plan.ts';
import type { Desired, ScriptAction } from '../engine/step.ts';
import { clusterAdmins, superAdmins } from '../components/groups.ts';
import { plannedHosts, stateOf, type Context } from './context.ts';
import { dropUnreadable } from './foreign/objects.ts';
import { identityStep } from './identity.ts';
import { certificateState, referenceState } from './issue-certificates.ts';
import { apiStep, applyManifest, isApplied, removeService } from './manifests.ts';
import { speakerOf } from './nodes.ts';

export const addons: Phase<Context> = {
  id: 'addons',
  title: 'Cluster services',
  summary: 'Grants the components’ permissions, and starts CoreDNS and metrics-server.',
  plan(context) {
    const { cluster } = context;
    const speaker = speakerOf(context);
    if (!speaker) return [];
    const id = (slug: string): string => `${speaker.name}/addons/${slug}`;
    const apply = (name: string, words: string, text: string): Desired => ({
      id: id(name),
      host: speaker.name,
      words,
      action: applyManifest(name, text),
      lane: 'api',
    });

    const work: Desired[] = [
      apply('access', 'grant the components their permissions', context.render('cluster/access.yaml.hbs', { clusterAdmins, superAdmins })),
      {
        id: id('identity'),
        host: speaker.name,
        words: "write the cluster's id into it",
        action: applyManifest('identity', context.render('cluster/identity.yaml.hbs', {}), 'cluster id'),
        lane: 'api',
        needs: [identityStep(speaker)],
      },
      ...(cluster.addons.coredns && everyNodeWasRead(context) ? [apply('coredns', 'apply CoreDNS', coredns(context))] : []),
      ...metricsServer(context),
      apply(
        'service-accounts',
        'take the API token away from default ServiceAccounts',
        context.render('cluster/service-accounts.yaml.hbs', { namespaces: ['default', 'kube-node-lease', 'kube-public', 'kube-system'] }),
      ),
    ];
    const unreadable = dropUnreadable(context, speaker);
    const ready: Desired = {
      id: apiStep(speaker.name),
      host: speaker.name,
      words: 'wait until the API server is ready',
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
      needs: [`${speaker.name}/kube-apiserver/unit`],
      onlyWith: [
        ...[...unreadable, ...work].map((step) => step.id),
        ...controlPlanes(cluster).map((host) => `${host.name}/kube-apiserver/unit`),
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
  const speaker = controlPlanes(cluster)[0]!;
  if (!plannedHosts(context).includes(speaker)) return [];
  const { certificatePath: certificate, keyPath: key } = metricsServerCertificate;
  const authority = `${PKI}/ca.crt`;
  // The Secret first: without it no pod starts, and the kubelet looks for it again only after a while.
  const parts = [
    {
      name: 'metrics-server-tls',
      text: render('metrics-server/tls.yaml.hbs', { certificate, key, authority }),
      filledIn: tlsInputs(context, speaker),
    },
    {
      name: 'metrics-server',
      text: render('metrics-server/metrics-server.yaml.hbs', { image: imageReference('image-metrics-server', versions.metricsServer) }),
    },
  ];
  const step = (name: string, words: string, action: ScriptAction): Desired => ({
    id: `${speaker.name}/addons/${name}`,
    host: speaker.name,
    words,
    action,
    needs: [apiStep(speaker.name)],
  });
  // Another certificate is no other wish.
  const wish = (filledIn: string | undefined, text: string): Pick<Desired, 'wanted'> =>
    filledIn === undefined ? {} : { wanted: digestOf(text) };
  if (cluster.addons.metricsServer)
    return parts.map(({ name, text, filledIn }) => ({
      ...step(
        name,
        filledIn === undefined ? 'apply metrics-server' : 'give metrics-server its certificate',
        applyManifest(name, text, filledIn),
      ),
      ...wish(filledIn, text),
    }));
  const manifests = parts.map(({ name }) => name);
  if (!manifests.some((name) => isApplied(stateOf(context, speaker), name))) return [];
  return [
    step('metrics-server', 'remove metrics-server', removeService({ service: 'metrics-server', manifests, files: [certificate, key] })),
  ];
}

/** What the host's files are made of: another one means that the Secret must be written again. */
function tlsInputs(context: Context, speaker: Host): string {
  const { generation } = certificateState(context, speaker, metricsServerCertificate);
  return `certificate ${generation}, authority ${referenceState(context, 'authority:kubernetes').generation}`;
}
