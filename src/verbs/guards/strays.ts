import { several } from '../../base/words.ts';
import type { Context } from '../../phases/context.ts';
import { knownMembers } from '../../phases/members.ts';
import { registeredNodes } from '../../phases/nodes.ts';

/** What the cluster has and the file does not: it stays as it is, and nothing looks after it. */
export interface Strays {
  nodes: readonly string[];
  /** Members of etcd. */
  members: readonly string[];
}

export function straysOf(context: Context): Strays {
  const { cluster, facts } = context;
  // A host without a name in the file is known by it only once it was read.
  if (cluster.hosts.some(({ name, named }) => !named && facts[name] === undefined)) return { nodes: [], members: [] };
  const ours = new Set(cluster.hosts.map(({ name }) => name));
  const others = (names: Iterable<string>): string[] => [...names].filter((name) => name !== '' && !ours.has(name)).sort();
  return {
    nodes: others(registeredNodes(context) ?? []),
    members: others(knownMembers(context)?.members.map(({ name }) => name) ?? []),
  };
}

/** The warnings that they are worth. */
export function strayWarnings(context: Context): { message: string; hint: string }[] {
  const { nodes, members } = straysOf(context);
  const all = [...new Set([...nodes, ...members])].sort();
  if (all.length === 0) return [];
  const what =
    members.length === 0
      ? `${all.length === 1 ? 'is a node' : 'are nodes'}`
      : `${all.length === 1 ? 'is a node or member of etcd' : 'are nodes or members of etcd'}`;
  return [
    {
      message: `${several(all)} ${what} of the cluster, and not in the cluster file: nothing is done to ${all.length === 1 ? 'it' : 'them'}`,
      hint: `write ${all.length === 1 ? 'it' : 'them'} to the file again; to take ${all.length === 1 ? 'it' : 'one'} out of the cluster, slipway remove ${all[0]!} after that`,
    },
  ];
}
