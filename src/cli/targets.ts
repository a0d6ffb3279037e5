import type { Cluster, Host } from '../config/cluster.ts';
import { resolveTarget } from '../remote/ssh-config.ts';
import type { Target } from '../remote/target.ts';

/** How to reach the hosts of a cluster file: what the file says, over what the user's ssh_config says. */
export function targetsOf(cluster: Cluster): Promise<Target[]> {
  return Promise.all(cluster.hosts.map(({ name, address, ssh }: Host) => resolveTarget({ name, address, ...ssh })));
}
