import { sh } from '../../base/quote.ts';
import type { ScriptAction } from '../step.ts';
import type { Kind } from './action.ts';

export const script: Kind<ScriptAction> = {
  reason({ done }, state) {
    if (!done) return 'to be done';
    const found = new Set((state.probes[done.probe] ?? '').split('\n'));
    const absent = done.lines.filter((line) => !found.has(line));
    return absent.length === 0 ? undefined : absent.length === done.lines.length ? 'not done' : `not so: ${absent.join(', ')}`;
  },
  shell: ({ script, each }) => (each === undefined ? '' : sh`set -- ${each}\n`) + script,
};
