import type { Cluster } from '../cluster.ts';
import type { Problem } from '../problem.ts';
import type { ClusterFile } from '../schema.ts';
import { hostRules } from './hosts.ts';

/** A rule that the file alone can tell, over the cluster and the file that it came from. */
export type Rule = (cluster: Cluster, file: ClusterFile) => Problem[];

const RULES: readonly Rule[] = [...hostRules];

export function checkRules(cluster: Cluster, file: ClusterFile): Problem[] {
  return RULES.flatMap((rule) => rule(cluster, file));
}
