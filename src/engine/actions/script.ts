import type { ScriptAction } from '../step.ts';
import type { Kind } from './action.ts';

export const script: Kind<ScriptAction> = {
  reason({ done }, state) {
    if (!done) return 'to be done';
    const found = state.probes[done.probe];
    return found === done.equals ? undefined : 'not done';
  },
  shell: (action) => (action.timeoutSeconds === undefined ? action.script : `(\n${action.script}\n)`),
};
