import type { Role } from '../../config/cluster.ts';

export interface RoleProposal {
  /** How many hosts are control planes. */
  controlPlanes: number;
  /** Whether they take ordinary pods too. */
  shared: boolean;
  /** Why, as sentences. */
  why: readonly string[];
}

/** From this many hosts on, two may be down at once often enough. */
const LARGE = 20;

/** How many control planes a cluster of this many hosts should have; `wanted` overrides the number. */
export function proposeRoles(hosts: number, wanted?: number): RoleProposal {
  const controlPlanes = wanted ?? (hosts < 3 ? 1 : hosts < LARGE ? 3 : 5);
  const workers = hosts - controlPlanes;
  // With fewer than two hosts of their own, ordinary pods would have no second place to go.
  const shared = workers < 2;
  return { controlPlanes, shared, why: [whyCount(controlPlanes, hosts), whyShared(shared, { controlPlanes, workers })] };
}

/** The numbers of control planes that make sense: odd, at most the number of hosts. */
export function possibleCounts(hosts: number): number[] {
  return [1, 3, 5].filter((count) => count <= hosts);
}

export function whyCount(count: number, hosts: number): string {
  if (count === 1 && hosts === 1) return 'One control plane, as there is one host.';
  if (count === 1 && hosts === 2) return 'One control plane: with two, both would have to be up all the time.';
  if (count === 1) return 'One control plane: while it is down, pods go on but nothing can be changed.';
  if (count % 2 === 0) return `${count} control planes survive the loss of ${count / 2 - 1}.`;
  return `${count} control planes: the cluster survives the loss of any ${count === 3 ? 'one' : (count - 1) / 2} of them.`;
}

export function whyShared(shared: boolean, { controlPlanes, workers }: { controlPlanes: number; workers: number }): string {
  const one = controlPlanes === 1;
  if (!shared) return `Ordinary pods stay away from the control ${one ? 'plane' : 'planes'}.`;
  const why = workers === 0 ? ', as there is no other host' : workers < 2 ? ', as there are few other hosts' : '';
  return `${one ? 'It takes' : 'They take'} ordinary pods too${why}.`;
}

/** The roles of each host, in the order given; `chosen` are the control planes. */
export function assignRoles(
  hosts: readonly string[],
  { chosen, shared }: { chosen: ReadonlySet<string>; shared: boolean },
): Map<string, Role[]> {
  return new Map(hosts.map((host) => [host, chosen.has(host) ? (shared ? ['control-plane', 'worker'] : ['control-plane']) : ['worker']]));
}
