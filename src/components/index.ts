import { apiEndpoint } from './api-endpoint.ts';
import type { Component } from './component.ts';
import { containerd } from './containerd.ts';
import { etcd } from './etcd.ts';
import { flanneld } from './flanneld.ts';
import { forwarding } from './forwarding.ts';
import { kubeApiserver } from './kube-apiserver.ts';
import { kubeControllerManager } from './kube-controller-manager.ts';
import { kubeProxy } from './kube-proxy.ts';
import { kubeScheduler } from './kube-scheduler.ts';
import { kubelet } from './kubelet.ts';
import { node } from './node.ts';

/** Everything that runs as a unit on hosts, in the order in which it is installed. What runs in the cluster is in the addons phase. */
export const components: readonly Component[] = [
  node,
  etcd,
  kubeApiserver,
  kubeControllerManager,
  kubeScheduler,
  apiEndpoint,
  containerd,
  kubelet,
  flanneld,
  kubeProxy,
  // Last: it opens the ports of all others.
  forwarding,
];
