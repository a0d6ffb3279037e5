import type { Cluster } from '../config/cluster.ts';
import { apiEndpoint, apiEndpointPackages } from './api-endpoint.ts';
import type { PackageUse } from './component.ts';
import { kubeProxy, kubeProxyPackages } from './kube-proxy.ts';
import { forwarding, forwardingPackages } from './forwarding.ts';

/** Packages of the distribution that hosts of a cluster need, without a look at any of them. */
export function packagesFor(cluster: Cluster): readonly PackageUse[] {
  return [
    { component: apiEndpoint, packages: apiEndpointPackages },
    { component: forwarding, packages: forwardingPackages },
    { component: kubeProxy, packages: kubeProxyPackages(cluster) },
  ].flatMap(({ component, packages }) => (cluster.hosts.some((host) => component.runsOn(host, cluster)) ? packages : []));
}
