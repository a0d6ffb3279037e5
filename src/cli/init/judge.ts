import { componentVersions, kubernetesVersions } from '../../artifacts/catalogue.ts';
import type { Finding } from '../../checks/check.ts';
import { preflightContext } from '../../checks/preflight/context.ts';
import { preflight } from '../../checks/preflight/index.ts';
import type { Cluster } from '../../config/cluster.ts';
import type { Facts } from '../../facts/facts.ts';
import { normalise } from '../../phases/normalise.ts';

/** What the preflight checks say about the cluster as proposed; hosts without facts are not judged. */
export type Judge = (cluster: Cluster, facts: Readonly<Record<string, Facts>>) => readonly Finding[];

export const judgeByPreflight: Judge = (cluster, facts) => {
  const version = cluster.kubernetes.version;
  // An unknown version is the business of plan and apply; the checks of the hosts do not depend on it.
  const versions = componentVersions(kubernetesVersions.includes(version) ? version : kubernetesVersions.at(-1)!);
  const known = { ...cluster, hosts: cluster.hosts.filter(({ name }) => facts[name] !== undefined) };
  if (known.hosts.length === 0) return [];
  return preflight(preflightContext({ ...normalise(known, facts), versions }));
};
