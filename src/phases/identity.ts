import { VAR } from '../engine/state.ts';
import type { Desired } from '../engine/step.ts';
import type { ClusterTraces } from '../facts/facts.ts';
import { plannedHosts, type Context } from './context.ts';
import { identityStep, sharedStep } from './step-ids.ts';

/** Where a host keeps the id of its cluster. */
const ID_FILE = `${VAR}/cluster-id`;

/** Who a cluster is. Names do not count: two clusters may have the same. */
export interface Identity {
  /** 32 hex digits. */
  id: string | undefined;
  /** sha256 of the certificate of the `kubernetes` authority. */
  authority: string | undefined;
}

/**
 * The id of a cluster whose authority this is: the beginning of its fingerprint. It is made once, from the first authority, and kept; a cluster
 * that was installed before there were ids gets the same.
 */
export const idFrom = (authoritySha256: string): string => authoritySha256.slice(0, 32);

/** Who the cluster of the state directory is; without an id: it was never installed from here. */
export function ownIdentity({ clusterId, inventory }: Pick<Context, 'clusterId' | 'inventory'>): Identity {
  const authority = inventory.authorities.kubernetes?.certificateSha256;
  return { id: clusterId ?? (authority === undefined ? undefined : idFrom(authority)), authority };
}

/** Who a host says that its cluster is. */
export function identityOf({ id, authority }: ClusterTraces): Identity {
  return { id: id ?? (authority === undefined ? undefined : idFrom(authority)), authority };
}

/** Name and id, in words. */
export function clusterWords(traces: ClusterTraces): string {
  const { id } = identityOf(traces);
  return `${traces.name ?? 'a cluster'}${id === undefined ? '' : ` (id ${id})`}`;
}

/** Whether a host is of this cluster. One without id and authority has a record alone, of an installation that had only begun. */
export function isSameCluster(traces: ClusterTraces, own: Identity & { name: string }): boolean {
  if (traces.id !== undefined) return traces.id === own.id;
  if (traces.authority !== undefined) return traces.authority === own.authority || idFrom(traces.authority) === own.id;
  return traces.name === undefined || traces.name === own.name;
}

/** Writes the cluster's id on every host. */
export function recordIdentity(context: Context): Desired[] {
  return plannedHosts(context).map((host) => ({
    id: identityStep(host),
    host: host.name,
    summary: `record the cluster's id in ${ID_FILE}`,
    action: {
      kind: 'file',
      path: ID_FILE,
      mode: '0644',
      owner: 'root:root',
      content: { ref: 'document:cluster-id', sha256: context.inventory.secrets['cluster-id']?.sha256 },
    },
    after: [sharedStep],
  }));
}

/** What gathering looks at. */
export const identityFiles: readonly string[] = [ID_FILE];
