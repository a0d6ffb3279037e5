import type { Artefact, LockedArtefact } from './types.ts';

/** What a person waiting for bytes wants to know. `finished` comes exactly once for everything that was `started`. */
export interface ArtifactProgress {
  artefact: Artefact;
  /** `waiting`: another process of this machine is fetching; `working`: a sign of life in between, see `detail`. */
  state: 'waiting' | 'started' | 'working' | 'finished';
  /** A URL or `go:MODULE@VERSION (GOVERSION)`. */
  from?: string | undefined;
  /** Since `started`; on `finished`. */
  seconds?: number | undefined;
  /** On `working`: received and expected bytes of a download. */
  bytes?: { done: number; total?: number | undefined } | undefined;
  detail?: string | undefined;
}

export interface WaitOptions {
  onProgress?: ((event: ArtifactProgress) => void) | undefined;
  signal?: AbortSignal | undefined;
}

/** An artefact to fetch; `locked` is what the lock expects of it. */
export interface Wanted {
  artefact: Artefact;
  locked?: LockedArtefact | undefined;
}

/** Files that a source has made, under names of the artefact; they are moved away by the receiver. */
export interface Fetched {
  artefact: Artefact;
  source: string;
  files: Readonly<Record<string, string>>;
}

export interface FetchOptions extends WaitOptions {
  /** An empty directory on the file system of the cache, removed by the caller. */
  directory: string;
  /** A directory that survives an interruption, for partial downloads. */
  partial: string;
  /** Called for each artefact as soon as it is complete, so that an interruption keeps what was done. */
  deliver: (fetched: Fetched) => Promise<void>;
}

export interface Identity {
  /** As LockedArtefact.source. */
  source: string;
  /** Digest of how the bytes are made from that source; cached files of another recipe are not used. */
  recipe: string;
}

/** Where bytes come from. */
export interface Source {
  identify(wanted: Wanted, signal?: AbortSignal): Promise<Identity>;
  fetch(wanted: readonly Wanted[], options: FetchOptions): Promise<void>;
}
