import { SlipwayError, isSlipwayError } from '../base/errors.ts';
import type { ArtefactOrigin, ArtifactsConfig } from '../config/cluster.ts';
import { bundleSource } from './bundle.ts';
import { goSource } from './go/source.ts';
import { get } from './release/http.ts';
import { PROBE } from './release/layout.ts';
import { releaseSource } from './release/source.ts';
import type { Source, Wanted } from './source.ts';

/** Long enough for a slow proxy, short enough to wait for before every first fetch without a network. */
const PROBE_MS = 5_000;

/** The source that the cluster file asks for; a relative bundle path is taken from the working directory. */
export function sourceFor({ source, overrides }: ArtifactsConfig, environment: NodeJS.ProcessEnv = process.env): Source {
  if (typeof source === 'object' && 'bundle' in source) return bundleSource(source.bundle);
  const main = originOf(source, environment);
  const others = new Map<string, Source>(Object.entries(overrides).map(([name, origin]) => [name, originOf(origin, environment)]));
  if (others.size === 0) return main;
  return divided(async ({ artefact: { name } }) => others.get(name) ?? main);
}

function originOf(origin: ArtefactOrigin, environment: NodeJS.ProcessEnv): Source {
  if (origin === 'go') return goSource(environment);
  if (origin === 'release') return releaseSource({ environment });
  if (origin === 'auto')
    return autoSource({
      release: releaseSource({ environment }),
      go: goSource(environment),
      reachable: () => releasesReachable(environment),
    });
  return releaseSource({ mirror: origin.mirror, environment });
}

export interface AutoOptions {
  release: Source;
  go: Source;
  reachable: () => Promise<boolean>;
}

/** Releases where they can be reached, else builds; but always what the lock was made from, because the other gives other bytes. */
export function autoSource({ release, go, reachable }: AutoOptions): Source {
  let answer: Promise<boolean> | undefined;
  const explained: Source = {
    identify: (wanted, signal) => go.identify(wanted, signal),
    fetch: async (wanted, options) => orExplain(go.fetch(wanted, options), await answer),
  };
  return divided(async ({ locked }) => {
    if (locked) return locked.source.startsWith('go:') ? explained : release;
    return (await (answer ??= reachable())) ? release : explained;
  });
}

/** Each artefact from the source that is its own; one source after the other. */
function divided(choose: (wanted: Wanted) => Promise<Source>): Source {
  return {
    identify: async (wanted, signal) => (await choose(wanted)).identify(wanted, signal),
    async fetch(wanted, options) {
      const chosen = await Promise.all(wanted.map(choose));
      for (const source of new Set(chosen))
        await source.fetch(
          wanted.filter((_, i) => chosen[i] === source),
          options,
        );
    },
  };
}

/** Without a network and without Go, the missing Go is only half of the story. */
async function orExplain(fetching: Promise<void>, releasesReachable: boolean | undefined): Promise<void> {
  try {
    await fetching;
  } catch (error) {
    if (releasesReachable !== false || !isSlipwayError(error) || error.code !== 'ARTIFACT_TOOL_MISSING') throw error;
    throw new SlipwayError(`The release sites cannot be reached, and nothing can be built here: ${error.message}`, {
      code: 'ARTIFACT_SOURCE_UNREACHABLE',
      category: 'unreachable',
      hint: 'Check the network and HTTPS_PROXY; or set spec.artifacts.source to a mirror; or install what is missing.',
      cause: error,
    });
  }
}

/** Whether the site that Kubernetes is released on answers within five seconds. */
export async function releasesReachable(environment: NodeJS.ProcessEnv = process.env): Promise<boolean> {
  try {
    const { status, body } = await get(PROBE, { environment, signal: AbortSignal.timeout(PROBE_MS) });
    body.resume();
    return status === 200;
  } catch (error) {
    if (isSlipwayError(error)) return false;
    throw error;
  }
}
