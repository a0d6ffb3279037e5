import { SlipwayError, bug } from '../base/errors.ts';
import type { ArtefactName } from '../config/artefact-names.ts';
import type { Architecture, Artefact } from './types.ts';

/** What goes with a Kubernetes version; every version without a leading `v`. */
export interface ComponentVersions {
  kubernetes: string;
  etcd: string;
  containerd: string;
  runc: string;
  cniPlugins: string;
  flannel: string;
  coredns: string;
  pause: string;
  metricsServer: string;
}

type Row = Partial<Omit<ComponentVersions, 'kubernetes'>> & {
  /** Tag of the agnhost image of that release: test/images/agnhost/VERSION in the Kubernetes sources. */
  agnhostTag: string;
};

/** Nothing here is bound to a Kubernetes minor: etcd is at least what kubeadm of each minor takes, the rest speaks stable interfaces. */
const common: Omit<ComponentVersions, 'kubernetes'> = {
  etcd: '3.6.8',
  containerd: '2.4.2',
  runc: '1.5.2',
  cniPlugins: '1.9.1',
  flannel: '0.28.4',
  coredns: '1.15.0',
  pause: '3.10.2',
  metricsServer: '0.9.0',
};

const table: Readonly<Record<string, Row>> = {
  '1.34.4': { agnhostTag: '2.56' },
  '1.35.4': { agnhostTag: '2.59' },
  '1.36.1': { agnhostTag: '2.63.0' },
  '1.36.3': { agnhostTag: '2.63.0' },
};

/** In ascending order. */
export const kubernetesVersions: readonly string[] = Object.keys(table);

/** Files of each artefact that is not an image. An image has one file, NAME.tar. */
const binaries = {
  'kube-apiserver': ['kube-apiserver'],
  'kube-controller-manager': ['kube-controller-manager'],
  'kube-scheduler': ['kube-scheduler'],
  kubelet: ['kubelet'],
  'kube-proxy': ['kube-proxy'],
  kubectl: ['kubectl'],
  etcd: ['etcd', 'etcdctl', 'etcdutl'],
  containerd: ['containerd', 'containerd-shim-runc-v2', 'ctr'],
  runc: ['runc'],
  'cni-plugins': ['bandwidth', 'bridge', 'firewall', 'host-local', 'loopback', 'portmap', 'tuning'],
  flanneld: ['flanneld'],
} as const satisfies Record<Exclude<ArtefactName, `image-${string}`>, readonly string[]>;

export type BinaryArtefactName = keyof typeof binaries;
export type ImageArtefactName = Extract<ArtefactName, `image-${string}`>;

/** Throws ARTIFACT_VERSION_UNKNOWN (usage) for a Kubernetes version that the catalogue does not know. */
export function componentVersions(kubernetesVersion: string): ComponentVersions {
  const { agnhostTag: _, ...row } = rowOf(kubernetesVersion);
  return { kubernetes: kubernetesVersion, ...common, ...row };
}

export interface CatalogueRequest {
  kubernetesVersion: string;
  arch: Architecture;
  /** Default false. */
  metricsServer?: boolean | undefined;
}

/**
 * Everything that a cluster of this version is made of, sorted by name. The version of `image-agnhost` is that of the Kubernetes sources
 * it is built from. Throws ARTIFACT_VERSION_UNKNOWN (usage).
 */
export function artefactsFor({ kubernetesVersion, arch, metricsServer = false }: CatalogueRequest): Artefact[] {
  const versions = componentVersions(kubernetesVersion);
  const names: (BinaryArtefactName | ImageArtefactName)[] = [
    ...(Object.keys(binaries) as BinaryArtefactName[]),
    'image-pause',
    'image-coredns',
    'image-agnhost',
    ...(metricsServer ? (['image-metrics-server'] as const) : []),
  ];
  return names.sort().map((name) => ({ name, version: versionOf(name, versions), arch, files: filesOf(name) }));
}

/** The files that an artefact of this name is made of. */
export function filesOf(name: string): readonly string[] {
  if (name.startsWith('image-')) return [`${name}.tar`];
  const files: readonly string[] | undefined = (binaries as Record<string, readonly string[]>)[name];
  if (!files) throw bug(`no artefact is called ${name}`);
  return files;
}

/** The name by which manifests and the container runtime ask for the image in `image-NAME`. */
export function imageReference(name: string, version: string): string {
  switch (name) {
    case 'image-pause':
      return `registry.k8s.io/pause:${version}`;
    case 'image-coredns':
      return `registry.k8s.io/coredns/coredns:v${version}`;
    case 'image-agnhost':
      return `registry.k8s.io/e2e-test-images/agnhost:${rowOf(version).agnhostTag}`;
    case 'image-metrics-server':
      return `registry.k8s.io/metrics-server/metrics-server:v${version}`;
    default:
      throw bug(`no image artefact is called ${name}`);
  }
}

function versionOf(name: BinaryArtefactName | ImageArtefactName, versions: ComponentVersions): string {
  switch (name) {
    case 'etcd':
      return versions.etcd;
    case 'containerd':
      return versions.containerd;
    case 'runc':
      return versions.runc;
    case 'cni-plugins':
      return versions.cniPlugins;
    case 'flanneld':
      return versions.flannel;
    case 'image-pause':
      return versions.pause;
    case 'image-coredns':
      return versions.coredns;
    case 'image-metrics-server':
      return versions.metricsServer;
    default:
      return versions.kubernetes;
  }
}

function rowOf(kubernetesVersion: string): Row {
  const row = table[kubernetesVersion];
  if (row) return row;
  throw new SlipwayError(`Kubernetes ${kubernetesVersion} is not in the catalogue of this Slipway`, {
    code: 'ARTIFACT_VERSION_UNKNOWN',
    category: 'usage',
    hint: `Use one of ${kubernetesVersions.join(', ')}.`,
  });
}
