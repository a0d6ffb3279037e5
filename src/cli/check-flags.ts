import { artefactsFor } from '../artifacts/catalogue.ts';
import { ownArchitecture, printedFlags } from '../artifacts/help.ts';
import type { Store } from '../artifacts/store.ts';
import type { Artefact } from '../artifacts/types.ts';
import type { Where } from '../base/errors.ts';
import type { Cluster } from '../config/cluster.ts';
import { flagProblems, type PrintedFlags } from '../config/flags.ts';
import type { LoadedCluster } from '../config/parse.ts';
import { problemsError } from '../config/problem.ts';

export interface FlagsQuestion extends Pick<LoadedCluster, 'cluster' | 'locate'> {
  /** The cluster file, for messages. */
  file: string;
  store: Pick<Store, 'here' | 'path'>;
  signal?: AbortSignal | undefined;
}

/** Flags that could not be checked: the binary is not here yet (`missing`), or this machine cannot run it. */
export interface Unchecked {
  component: string;
  flags: readonly string[];
  /** Where they stand in the cluster file. */
  where: Where;
  missing?: Artefact;
}

/**
 * Asks the binaries of the cluster's version, as far as they are in the cache, whether they have the flags under spec.components. Neither
 * a host nor a source of artefacts is asked. Throws SlipwayErrors CLUSTER_FILE_INVALID (usage) with the position of every flag that does
 * not exist; returns what nothing is known of.
 */
export async function checkFlags({ cluster, locate, file, store, signal }: FlagsQuestion): Promise<Unchecked[]> {
  const printed: Record<string, PrintedFlags> = {};
  const unchecked: Unchecked[] = [];
  await Promise.all(
    Object.entries(cluster.components).map(async ([component, { args }]) => {
      const flags = Object.keys(args);
      if (flags.length === 0) return;
      const artefact = binaryOf(component, cluster);
      const here = artefact && (await store.here(artefact));
      const names = here && (await printedFlags(await store.path(here, component), { signal }));
      if (names) printed[component] = { version: artefact.version, names };
      else
        unchecked.push({
          component,
          flags,
          where: locate(['spec', 'components', component, 'args'], true),
          ...(artefact && !here ? { missing: artefact } : {}),
        });
    }),
  );
  const problems = flagProblems(cluster, printed);
  if (problems.length > 0) throw problemsError(problems, file, locate);
  return unchecked;
}

/** The binary of a component for this machine: it prints the same flags as the one for another processor. */
function binaryOf(component: string, { kubernetes }: Pick<Cluster, 'kubernetes'>): Artefact | undefined {
  const arch = ownArchitecture();
  if (arch === undefined) return undefined;
  return artefactsFor({ kubernetesVersion: kubernetes.version, arch }).find(({ name }) => name === component);
}

/** What a person should know about flags that nobody has checked; `later` says when they will be. */
export function uncheckedWarning({ component, flags, missing }: Unchecked, later: string): { message: string; hint: string } {
  const which = `spec.components.${component}.args: ${flags.map((flag) => `--${flag}`).join(', ')}`;
  if (missing) return { message: `${which}: not checked, because ${component} ${missing.version} is not in the cache`, hint: later };
  return {
    message: `${which}: not checked, because this machine cannot run ${component}`,
    hint: `look at ${component} --help yourself: a flag that does not exist keeps the unit from starting`,
  };
}

export interface FetchedFlagsQuestion extends FlagsQuestion {
  store: Pick<Store, 'here' | 'path' | 'resolve'>;
  /** What checkFlags could not check. */
  unchecked: readonly Unchecked[];
  /** Called before something is fetched. */
  onFetch(names: readonly string[]): void;
}

/** Fetches the binaries that were missing, and asks them. Throws as checkFlags and the store do, before any host has been touched. */
export async function fetchAndCheckFlags({ unchecked, onFetch, ...question }: FetchedFlagsQuestion): Promise<void> {
  const missing = unchecked.flatMap((one) => one.missing ?? []);
  if (missing.length === 0) return;
  onFetch(missing.map(({ name, version }) => `${name} ${version}`));
  await question.store.resolve(missing, { signal: question.signal });
  await checkFlags(question);
}
