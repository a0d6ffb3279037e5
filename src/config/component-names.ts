/** The components whose units take command-line flags, and so may stand under spec.components. What runs in pods has its own manifest. */
export const COMPONENT_NAMES = [
  'etcd',
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'containerd',
  'kubelet',
  'kube-proxy',
  'flanneld',
] as const;

export type ComponentName = (typeof COMPONENT_NAMES)[number];
