import { imageReference } from '../artifacts/catalogue.ts';
import { controlPlanes, dnsServiceAddress, isNode } from '../components/topology.ts';
import type { Phase } from '../engine/phase.ts';
import type { Desired } from '../engine/step.ts';
import { clusterAdmins, superAdmins } from '../components/groups.ts';
import type { Context } from './context.ts';
import { applyManifest } from './manifests.ts';
import { speakerOf } from './nodes.ts';

export const addons: Phase<Context> = {
  id: 'addons',
  title: 'Cluster services',
  summary: 'Grants the components’ permissions, and starts CoreDNS.',
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
    });

    const work: Desired[] = [
      apply('access', 'grant the components their permissions', context.render('cluster/access.yaml.hbs', { clusterAdmins, superAdmins })),
      ...(cluster.addons.coredns && everyNodeWasRead(context) ? [apply('coredns', 'apply CoreDNS', coredns(context))] : []),
      apply(
        'service-accounts',
        'take the API token away from default ServiceAccounts',
        context.render('cluster/service-accounts.yaml.hbs', { namespaces: ['default', 'kube-node-lease', 'kube-public', 'kube-system'] }),
      ),
    ];
    const ready: Desired = {
      id: id('api'),
      host: speaker.name,
      words: 'wait until the API server is ready',
      action: {
        kind: 'wait',
        // The unit says READY when it serves; a call of kubectl would cost a hundred times as much as this look.
        condition: 's=$(systemctl is-active kube-apiserver) || { echo "kube-apiserver is $s"; exit 1; }',
        timeoutSeconds: 180,
        units: ['etcd.service', 'kube-apiserver.service'],
        // Neither waits for anything else that may not be there yet: an API server waits 20 s for its etcd before it ends.
        restarts: 12,
      },
      onlyWith: [...work.map((step) => step.id), ...controlPlanes(cluster).map((host) => `${host.name}/kube-apiserver/unit`)],
    };
    return [ready, ...work];
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
