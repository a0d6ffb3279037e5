import { setMaxListeners } from 'node:events';

/** Calls the listener once when the signal fires, at once if it has; gives back the function that forgets it. */
export function onAbort(signal: AbortSignal | undefined, listener: () => void): () => void {
  if (signal === undefined) return () => {};
  if (signal.aborted) {
    listener();
    return () => {};
  }
  // One signal is for a whole run: some scripts on each of many hosts listen to it at a time.
  setMaxListeners(0, signal);
  signal.addEventListener('abort', listener, { once: true });
  return () => signal.removeEventListener('abort', listener);
}
