import type { Artefact } from '../artifacts/types.ts';
import type { Phase } from '../engine/phase.ts';
import { OPERATOR } from '../engine/step.ts';
import { plannedHosts, type Context } from './context.ts';
import { artefactNames, artefactOf, bundledPackages, isDelivered } from './deliver-artifacts.ts';
import { fetchStep } from './step-ids.ts';

export interface FetchParameters {
  artefacts: readonly Artefact[];
}

export const fetchArtifacts: Phase<Context> = {
  id: 'fetch-artifacts',
  title: 'Fetch binaries and images',
  summary: 'Brings what a host lacks into the operator’s cache, checked against cluster.lock.',
  plan(context) {
    const artefacts = artefactsToFetch(context);
    if (artefacts.length === 0) return [];
    const parameters: FetchParameters = { artefacts };
    return [
      {
        id: fetchStep,
        host: OPERATOR,
        summary: `fetch ${artefacts.length} artefacts for Kubernetes ${context.versions.kubernetes}`,
        action: { kind: 'local', task: 'fetch', parameters },
      },
    ];
  },
};

/** What hosts lack; each artefact once. */
export function artefactsToFetch(context: Context): Artefact[] {
  const wanted = new Map<string, Artefact>();
  for (const host of plannedHosts(context)) {
    const packages = bundledPackages(context, host);
    for (const name of [...(packages ? [packages.name] : []), ...artefactNames(context, host)]) {
      if (isDelivered(context, host, name)) continue;
      const artefact = artefactOf(context, host, name);
      wanted.set(`${artefact.name} ${artefact.version} ${artefact.arch}`, artefact);
    }
  }
  return [...wanted.values()];
}
