import type { ComponentVersions } from '../artifacts/catalogue.ts';
import type { Lock, LockedArtefact } from '../artifacts/types.ts';
import type { SlipwayError } from '../base/errors.ts';
import type { Cluster, Host } from '../config/cluster.ts';
import type { Manifests } from '../config/manifests.ts';
import type { HostState } from '../engine/state.ts';
import { emptyState } from '../engine/state.ts';
import type { Facts } from '../facts/facts.ts';
import type { Inventory } from '../pki/types.ts';
import type { Unadmitted } from './normalise.ts';
import type { Render } from './templates.ts';

/** Everything that phases plan from. The same context gives the same plan. */
export interface Context {
  /** Normalised: every host has its final name and private address. */
  cluster: Cluster;
  /** Names of the only hosts that may be planned for; undefined: all. */
  limit?: readonly string[] | undefined;
  /** The observer, whether the limit names it or not; undefined: see observerOf. */
  observer?: string | undefined;
  /** Hosts that a verb which only looks goes on without, and why they could not be read; the limit does not have them. */
  unread?: readonly { host: Host; error: SlipwayError }[] | undefined;
  /** Hosts that could not be reached, and that the limit is without for that reason. */
  skipped?: readonly { host: Host; error: SlipwayError }[] | undefined;
  /** What must be changed on all nodes at once, and cuts pods off from each other meanwhile, may be. */
  outageAccepted?: boolean | undefined;
  /** By host name, as `states`. With a limit not of every host. */
  facts: Readonly<Record<string, Facts>>;
  /** Networks of hosts that firewalls do not admit as a whole; see normalise. */
  unadmitted?: readonly Unadmitted[] | undefined;
  states: Readonly<Record<string, HostState>>;
  versions: ComponentVersions;
  lock: Lock;
  /** The distributions' packages that a bundle has; see artifacts/package-names.ts. */
  packages?: readonly LockedArtefact[] | undefined;
  /** What spec.addons.manifests names; undefined where it was not read, and nothing is planned for it. */
  manifests?: Manifests | undefined;
  inventory: Inventory;
  /** The id that the state directory keeps; see identity.ts. */
  clusterId?: string | undefined;
  /** Milliseconds since 1970. */
  now: number;
  render: Render;
}

export function stateOf(context: Context, host: Host): HostState {
  return context.states[host.name] ?? emptyState;
}

/** The hosts that a plan may change. */
export function plannedHosts({ cluster, limit }: Pick<Context, 'cluster' | 'limit'>): Host[] {
  return cluster.hosts.filter(({ name }) => limit === undefined || limit.includes(name));
}

/** The same, computed once for a context: contexts never change. */
export function oncePerContext<T>(compute: (context: Context) => T): (context: Context) => T {
  const known = new WeakMap<Context, { value: T }>();
  return (context) => {
    const found = known.get(context) ?? { value: compute(context) };
    known.set(context, found);
    return found.value;
  };
}
