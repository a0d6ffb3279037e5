import type { Playbook } from '../src/engine/phase.ts';
import type { Context } from '../src/phases/context.ts';
import { giveBack, removePackages, stop, unlinkNetwork } from '../src/phases/reset/phases.ts';

/** Gives hosts back as they were found: the inverse of apply. */
export const reset: Playbook<Context> = {
  verb: 'reset',
  phases: [stop, unlinkNetwork, removePackages, giveBack],
};
