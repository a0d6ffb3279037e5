import type { ArtifactProgress } from './source.ts';

/** `kubelet 1.36.3: 12.4 of 68.0 MB`. */
export function progressText({ artefact: { name, version }, state, bytes, detail, seconds }: ArtifactProgress): string {
  const what = `${name} ${version}`;
  switch (state) {
    case 'waiting':
      return `${what}: another process of this machine is fetching`;
    case 'started':
      return `${what}: started`;
    case 'finished':
      return `${what}: here${seconds === undefined || seconds < 1 ? '' : ` after ${seconds.toFixed(0)} s`}`;
    case 'working': {
      if (!bytes) return `${what}: ${detail ?? 'working'}`;
      const done = `${inMegabytes(bytes.done)} MB`;
      return `${what}: ${bytes.total === undefined ? done : `${inMegabytes(bytes.done)} of ${inMegabytes(bytes.total)} MB`}`;
    }
  }
}

/** Megabytes as sites and shops count them, 10^6. */
export function inMegabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}
