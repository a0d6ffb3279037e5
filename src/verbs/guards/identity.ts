import { SlipwayError } from '../../base/errors.ts';
import { list, several } from '../../base/words.ts';
import { declarations } from '../../components/declare.ts';
import type { Authority } from '../../pki/types.ts';
import { plannedHosts, stateOf, type Context } from '../../phases/context.ts';
import { clusterWords, identityOf, isSameCluster, ownIdentity } from '../../phases/identity.ts';

export interface IdentityOptions {
  /** The state directory that the keys come from. */
  directory: string;
  /** The id of another cluster whose hosts may be touched nevertheless: somebody has typed it. */
  accepted?: string | undefined;
  /** The verb only takes hosts apart: it needs no keys, and looks at the hosts alone that it changes. */
  undoing?: boolean;
}

/**
 * Why nothing may be done to these hosts with these keys; undefined: they belong together. CLUSTER_STATE_MISSING: hosts carry a cluster, and the
 * state directory has no keys; CLUSTER_FOREIGN: hosts carry another cluster; CLUSTER_STATE_INCOMPLETE: an authority is missing that hosts trust.
 */
export function identityProblem(context: Context, options: IdentityOptions): SlipwayError | undefined {
  const { cluster, facts } = context;
  const own = ownIdentity(context);
  const considered = options.undoing ? plannedHosts(context) : cluster.hosts;
  const carrying = considered.flatMap(({ name }) => {
    const traces = facts[name]?.cluster;
    return traces === undefined ? [] : [{ host: name, traces, ...identityOf(traces) }];
  });
  const strangers = carrying.filter(({ traces }) => !isSameCluster(traces, { ...own, name: cluster.name }));
  // Keys that are not there cannot take hosts over, whatever was typed.
  const mayAccept = options.accepted !== undefined && (own.id !== undefined || options.undoing === true);
  const refused = mayAccept ? strangers.filter(({ id }) => id !== options.accepted) : strangers;
  if (refused.length > 0) {
    const hosts = refused.map(({ host }) => host);
    const of = [...new Set(refused.map(({ traces }) => clusterWords(traces)))];
    return own.id === undefined ? missing(hosts, of, options) : foreign(hosts, of, { own: own.id, ...options });
  }
  const lacking = options.undoing
    ? []
    : lackedAuthorities(
        context,
        carrying.map(({ host }) => host),
      );
  return lacking.length === 0 ? undefined : incomplete(lacking, options);
}

const where = (hosts: readonly string[]): { host?: string } => (hosts.length === 1 ? { host: hosts[0]! } : {});

function missing(hosts: readonly string[], of: readonly string[], { directory, undoing }: IdentityOptions): SlipwayError {
  const them = hosts.length === 1 ? 'it' : 'them';
  return new SlipwayError(
    `${several(hosts)} ${hosts.length === 1 ? 'is' : 'are'} part of a running cluster, ${list(of)}, and ${directory} has none of its keys`,
    {
      code: 'CLUSTER_STATE_MISSING',
      category: 'refused',
      where: where(hosts),
      hint: undoing
        ? `bring the state directory of that cluster to ${directory}; if it is lost for good, name the cluster by its id: slipway reset --cluster-id ID`
        : `bring the state directory of that cluster to ${directory}, from the machine where it was installed or from a copy; new keys would make its Secrets unreadable. To build another cluster of ${them}, take ${them} out of that one first: slipway remove or slipway reset with its own cluster file`,
    },
  );
}

function foreign(hosts: readonly string[], of: readonly string[], { own, directory }: IdentityOptions & { own: string }): SlipwayError {
  return new SlipwayError(
    `${several(hosts)} ${hosts.length === 1 ? 'belongs' : 'belong'} to another cluster, ${list(of)}; this one's id is ${own}`,
    {
      code: 'CLUSTER_FOREIGN',
      category: 'refused',
      where: where(hosts),
      hint: `use the cluster file and the state directory of that cluster; if this file is the right one, ${directory} is not its state directory, or the hosts were changed with another one (docs/identity.md)`,
    },
  );
}

interface Lacking {
  authority: Authority;
  hosts: readonly string[];
}

function incomplete(lacking: readonly Lacking[], { directory }: IdentityOptions): SlipwayError {
  const hosts = [...new Set(lacking.flatMap((one) => one.hosts))];
  return new SlipwayError(
    `${directory} lacks the ${list(lacking.map(({ authority }) => authority))} ${lacking.length === 1 ? 'authority' : 'authorities'}, which ${several(hosts)} ${hosts.length === 1 ? 'trusts' : 'trust'}`,
    {
      code: 'CLUSTER_STATE_INCOMPLETE',
      category: 'refused',
      where: { ...where(hosts), file: directory },
      hint: 'bring the whole state directory there, from the machine where the cluster was installed or from a copy',
    },
  );
}

/** A new authority in place of one that hosts trust already would leave them without each other. */
function lackedAuthorities(context: Context, hosts: readonly string[]): Lacking[] {
  const found = new Map<Authority, string[]>();
  for (const host of context.cluster.hosts.filter(({ name }) => hosts.includes(name))) {
    const { files } = stateOf(context, host);
    for (const { declaration } of declarations(context, host))
      for (const { path, from } of declaration.files ?? []) {
        const authority =
          'ref' in from && from.ref.startsWith('authority:') ? (from.ref.slice('authority:'.length) as Authority) : undefined;
        if (authority === undefined || context.inventory.authorities[authority] || files[path] === undefined) continue;
        const known = found.get(authority) ?? [];
        if (!known.includes(host.name)) found.set(authority, [...known, host.name]);
      }
  }
  return [...found].map(([authority, on]) => ({ authority, hosts: on }));
}
