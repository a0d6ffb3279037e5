import type { ArtifactProgress, WaitOptions } from './source.ts';
import type { Artefact } from './types.ts';

export interface Clock {
  /** The first call counts. */
  started(artefact: Artefact): void;
  working(artefact: Artefact, sign: Pick<ArtifactProgress, 'detail' | 'bytes'>): void;
  finished(artefact: Artefact): void;
}

/** Emits the progress of a source with the seconds since each artefact was started. */
export function progressClock({ onProgress }: WaitOptions, from: (artefact: Artefact) => string): Clock {
  const since = new Map<Artefact, number>();
  return {
    started(artefact) {
      if (since.has(artefact)) return;
      since.set(artefact, performance.now());
      onProgress?.({ artefact, state: 'started', from: from(artefact) });
    },
    working(artefact, sign) {
      onProgress?.({ artefact, state: 'working', from: from(artefact), ...sign });
    },
    finished(artefact) {
      const seconds = (performance.now() - (since.get(artefact) ?? performance.now())) / 1000;
      onProgress?.({ artefact, state: 'finished', from: from(artefact), seconds });
    },
  };
}
