/** The components that take command-line flags, and so may stand under spec.components. */
export const COMPONENT_NAMES = [
  'etcd',
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'containerd',
  'kubelet',
  'kube-proxy',
  'flanneld',
  'coredns',
  'metrics-server',
] as const;

export type ComponentName = (typeof COMPONENT_NAMES)[number];
