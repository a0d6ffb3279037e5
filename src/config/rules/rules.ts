import type { Cluster } from '../cluster.ts';
import type { Path, Problem } from '../problem.ts';
import type { ClusterFile } from '../schema.ts';
import { hostRules } from './hosts.ts';
import { networkRules } from './network.ts';
import { nodeRules } from './nodes.ts';
import { roleRules } from './roles.ts';
import { serviceRules } from './services.ts';

/** Something that the file alone can tell about several fields together. */
export interface Rule {
  /** Fields such as `hosts.roles` that must all be readable, because the rule would be wrong when their defaults stand in for them. */
  needs: readonly string[];
  /** The problems of the cluster, whose file (after the schema) shows what was written. */
  check: (cluster: Cluster, file: ClusterFile) => Problem[];
}

const RULES: readonly Rule[] = [...hostRules, ...roleRules, ...nodeRules, ...networkRules, ...serviceRules];

/** `unreadable` lists the paths that the schema refused: rules that need them are left out. */
export function checkRules(cluster: Cluster, file: ClusterFile, unreadable: readonly Path[] = []): Problem[] {
  const topics = unreadable.map(topicOf);
  return RULES.filter((rule) => !rule.needs.some((need) => topics.some((topic) => covers(topic, need) || covers(need, topic)))).flatMap(
    (rule) => rule.check(cluster, file),
  );
}

/** `spec.hosts[3].roles[0]` is about `hosts.roles`. */
function topicOf(path: Path): string {
  return path.filter((part) => typeof part === 'string' && part !== 'spec').join('.');
}

function covers(outer: string, inner: string): boolean {
  return outer === '' || inner === outer || inner.startsWith(`${outer}.`);
}
