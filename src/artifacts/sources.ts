import { SlipwayError, isSlipwayError } from '../base/errors.ts';
import type { ArtifactsConfig } from '../config/cluster.ts';
import { bundleSource } from './bundle.ts';
import { goSource } from './go/source.ts';
import { get } from './release/http.ts';
import { PROBE } from './release/layout.ts';
import { releaseSource } from './release/source.ts';
import type { Source, Wanted } from './source.ts';

/** Long enough for a slow proxy, short enough to wait for before every first fetch without a network. */
const PROBE_MS = 5_000;

/** The source that the cluster file asks for; a relative bundle path is taken from the working directory. */
export function sourceFor({ source }: ArtifactsConfig, environment: NodeJS.ProcessEnv = process.env): Source {
  if (source === 'go') return goSource(environment);
  if (source === 'release') return releaseSource({ environment });
  if (source === 'auto')
    return autoSource({
      release: releaseSource({ environment }),
      go: goSource(environment),
      reachable: () => isReachable(PROBE, environment),
    });
  if ('mirror' in source) return releaseSource({ mirror: source.mirror, environment });
  return bundleSource(source.bundle);
}

export interface AutoOptions {
  release: Source;
  go: Source;
  reachable: () => Promise<boolean>;
}

/** Releases where they can be reached, else builds; but always what the lock was made from, because the other gives other bytes. */
export function autoSource({ release, go, reachable }: AutoOptions): Source {
  let answer: Promise<boolean> | undefined;
  const choose = async ({ locked }: Wanted): Promise<Source> => {
    if (locked) return locked.source.startsWith('go:') ? go : release;
    return (await (answer ??= reachable())) ? release : go;
  };
  return {
    identify: async (wanted, signal) => (await choose(wanted)).identify(wanted, signal),
    async fetch(wanted, options) {
      const chosen = await Promise.all(wanted.map(choose));
      const of = (source: Source): Wanted[] => wanted.filter((_, i) => chosen[i] === source);
      if (of(release).length > 0) await release.fetch(of(release), options);
      if (of(go).length > 0) await orExplain(go.fetch(of(go), options), await answer);
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

async function isReachable(url: string, environment: NodeJS.ProcessEnv): Promise<boolean> {
  try {
    const { status, body } = await get(url, { environment, signal: AbortSignal.timeout(PROBE_MS) });
    body.resume();
    return status === 200;
  } catch (error) {
    if (isSlipwayError(error)) return false;
    throw error;
  }
}
