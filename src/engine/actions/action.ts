import type { Action } from '../step.ts';
import type { HostState } from '../state.ts';

/** How one kind of action is seen to be done, and how it is done. */
export interface Kind<A extends Action> {
  /** Why the host is not as desired; undefined when it is. Pure. */
  reason(action: A, state: HostState): string | undefined;
  /**
   * Shell text that does it, idempotently; runs in a subshell under `set -e`. The bytes of a file or a script's references come on
   * standard input, in order.
   */
  shell(action: A, bytes: readonly Buffer[]): string;
}
