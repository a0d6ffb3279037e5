import type { EngineEvent } from '../../engine/events.ts';

/** Shows a run while it happens. Only what a person needs; everything else is in the log. */
export interface Renderer {
  handle(event: EngineEvent): void;
  /** Leaves the terminal to somebody else: a question, a plan. Whatever comes next is drawn below. */
  settle(): Promise<void>;
  /** Ends the display; nothing of it is drawn over afterwards. */
  stop(): Promise<void>;
}
