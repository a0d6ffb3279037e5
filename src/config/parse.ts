import type { Cluster } from './cluster.ts';
import { readDocument } from './document.ts';
import { show, toProblems, valueAt, withoutEchoes } from './issues.ts';
import { resolvePath } from './paths.ts';
import { type Locate, type Problem, problemsError, toWarning, type Warning } from './problem.ts';
import { toCluster } from './resolve.ts';
import { checkRules } from './rules/rules.ts';
import { inFile, salvage } from './salvage.ts';
import { API_VERSION, clusterFileSchema, KIND } from './schema.ts';
import { allowedAt, examplesAt, keysAt } from './shape.ts';

export interface LoadedCluster {
  cluster: Cluster;
  warnings: readonly Warning[];
  /** Where a field stands in the file, for what is found out about it later. */
  locate: Locate;
}

/**
 * Reads the text of a cluster file; `path` is used for messages and for relative paths in it. Opens no file. Throws SlipwayErrors
 * (CLUSTER_FILE_INVALID, usage) with every problem and its position.
 */
export function parseCluster(text: string, path: string): LoadedCluster {
  const { value, locate } = readDocument(text, path);
  const foreign = foreignFile(value);
  if (foreign.length > 0) throw problemsError(foreign, path, locate);
  const parsed = clusterFileSchema.safeParse(value);
  if (!parsed.success) {
    const problems = toProblems(parsed.error.issues, value, { keysAt, examplesAt, allowedAt });
    throw problemsError([...withoutEchoes(problems, value), ...problemsOfRest(value, problems, path)], path, locate);
  }
  const cluster = toCluster(parsed.data, (relative) => resolvePath(relative, path));
  const problems = checkRules(cluster, parsed.data);
  const errors = problems.filter((problem) => problem.warning === undefined);
  if (errors.length > 0) throw problemsError(errors, path, locate);
  return { cluster, warnings: problems.map((problem) => toWarning(problem, locate)), locate };
}

/** What the rules find in the part of the file that the schema could read. */
function problemsOfRest(value: unknown, problems: readonly Problem[], path: string): Problem[] {
  const rest = salvage(value, problems);
  const parsed = clusterFileSchema.safeParse(rest.value);
  if (!parsed.success) return [];
  const cluster = toCluster(parsed.data, (relative) => resolvePath(relative, path));
  const unreadable = problems.map((problem) => problem.path);
  return checkRules(cluster, parsed.data, unreadable)
    .filter((problem) => problem.warning === undefined)
    .map((problem) => inFile(problem, rest.hosts));
}

/** A file that is no cluster file of ours needs one sentence, not thirty about its fields. */
function foreignFile(value: unknown): Problem[] {
  if (value === null || value === undefined) return [{ path: [], message: 'the file is empty', hint: 'slipway init writes one for you.' }];
  if (typeof value !== 'object' || Array.isArray(value))
    return [
      { path: [], message: `the file holds ${show(value)}, not a mapping with the key spec`, hint: 'slipway init writes one for you.' },
    ];
  const apiVersion = valueAt(value, ['apiVersion']);
  const kind = valueAt(value, ['kind']);
  if (apiVersion !== undefined && apiVersion !== API_VERSION) {
    const newer = typeof apiVersion === 'string' && apiVersion.startsWith('slipway.dev/');
    return [
      {
        path: ['apiVersion'],
        message: newer
          ? `${show(apiVersion)} is not known to this version of Slipway, which reads ${API_VERSION}`
          : `${show(apiVersion)} is not a cluster file of Slipway, which reads ${API_VERSION}`,
        hint: newer ? 'Use the version of Slipway that the file was written for.' : 'slipway init writes a new one.',
      },
    ];
  }
  if (kind !== undefined && kind !== KIND)
    return [{ path: ['kind'], message: `${show(kind)} is not known; the kind of a cluster file is ${KIND}` }];
  return [];
}
