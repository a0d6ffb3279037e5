import type { Artefact } from '../artifacts/types.ts';
import type { Phase } from '../engine/phase.ts';
import { OPERATOR } from '../engine/step.ts';
import { plannedHosts, type Context } from './context.ts';
import { artefactNames, artefactOf, FETCH_STEP, isDelivered } from './deliver-artifacts.ts';

export interface FetchParameters {
  artefacts: readonly Artefact[];
}

export const fetchArtifacts: Phase<Context> = {
  id: 'fetch-artifacts',
  title: 'Fetch binaries and images',
  summary: 'Brings what a host lacks into the operator’s cache, checked against cluster.lock.',
  plan(context) {
    const wanted = new Map<string, Artefact>();
    for (const host of plannedHosts(context)) {
      for (const name of artefactNames(context, host)) {
        if (isDelivered(context, host, name)) continue;
        const artefact = artefactOf(context, host, name);
        wanted.set(`${artefact.name} ${artefact.version} ${artefact.arch}`, artefact);
      }
    }
    if (wanted.size === 0) return [];
    const parameters: FetchParameters = { artefacts: [...wanted.values()] };
    return [
      {
        id: FETCH_STEP,
        host: OPERATOR,
        words: `fetch ${wanted.size} artefacts for Kubernetes ${context.versions.kubernetes}`,
        action: { kind: 'local', task: 'fetch', parameters },
      },
    ];
  },
};
