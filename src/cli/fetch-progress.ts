import { progressText } from '../artifacts/progress-text.ts';
import type { ArtifactProgress } from '../artifacts/source.ts';
import type { Io } from './io.ts';

export interface FetchProgress {
  onProgress(event: ArtifactProgress): void;
  /** Of something that is not an artefact: `writing prod.bundle: 12.4 of 412.0 MB`. */
  say(text: string): void;
  /** Leaves the terminal as a person expects it. */
  end(): void;
}

const REDRAW_MS = 100;
/** Often enough to see that it goes on, seldom enough for a log. */
const LINE_MS = 5_000;

/** How far fetching is: one line that is redrawn at a terminal; elsewhere lines, a few for each artefact. */
export function fetchProgress({ stderr, animated }: Pick<Io, 'stderr' | 'animated'>): FetchProgress {
  const active = new Map<string, string>();
  const written = new Map<string, number>();
  let drawn = 0;
  const redraw = (text: string): void => {
    if (performance.now() - drawn < REDRAW_MS) return;
    drawn = performance.now();
    const width = ('columns' in stderr ? Number(stderr.columns) : 0) || 80;
    stderr.write(`\r\u001b[2K${text.slice(0, width - 1)}`);
  };
  const show = (key: string, text: string, always: boolean): void => {
    if (animated) return redraw([...active.values()].join(', ') || text);
    const now = performance.now();
    if (!always && now - (written.get(key) ?? -LINE_MS) < LINE_MS) return;
    written.set(key, now);
    stderr.write(`${text}\n`);
  };
  return {
    onProgress(event) {
      const { name, version, arch } = event.artefact;
      const key = `${name} ${version} ${arch}`;
      const text = progressText(event);
      if (event.state === 'finished') active.delete(key);
      else active.set(key, text);
      // What begins without a sign of life in between is seen when it ends.
      if (event.state !== 'started' || animated) show(key, text, event.state === 'finished');
    },
    say: (text) => show('', text, false),
    end() {
      if (animated) stderr.write('\r\u001b[2K');
    },
  };
}

/** A signal that Ctrl-C aborts, for work that has nothing to leave in order. */
export async function interruptible<T>(io: Pick<Io, 'onInterrupt'>, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const end = io.onInterrupt(() => controller.abort());
  try {
    return await work(controller.signal);
  } finally {
    end();
  }
}
