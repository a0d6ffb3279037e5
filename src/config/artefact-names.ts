/** Everything that a cluster may be made of, by the names of the catalogue: spec.artifacts.overrides speaks of them. */
export const ARTEFACT_NAMES = [
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kubelet',
  'kube-proxy',
  'kubectl',
  'etcd',
  'containerd',
  'runc',
  'cni-plugins',
  'flanneld',
  'image-pause',
  'image-coredns',
  'image-agnhost',
  'image-metrics-server',
] as const;

export type ArtefactName = (typeof ARTEFACT_NAMES)[number];
