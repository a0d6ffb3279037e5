import type { Delivery } from './actions/artefact.ts';

/** Where the bytes come from that a plan only refers to. Handed to the engine by whoever runs it. */
export interface Materials {
  /** The bytes of a content reference, at the moment the step runs; undefined: only the host has them. */
  bytes(ref: string): Promise<Buffer | undefined>;
  /** The archive of an artefact as it is to be sent to this host. */
  archive(name: string, version: string, host: string): Promise<Delivery & { path: string }>;
}

/** Carries out one kind of local work; `progress` shows in the terminal while it runs. */
export type LocalHandler = (parameters: unknown, context: { progress: (text: string) => void; signal: AbortSignal }) => Promise<void>;
