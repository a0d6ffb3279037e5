import type { Playbook } from '../src/engine/phase.ts';
import type { Context } from '../src/phases/context.ts';
import { isDrift } from '../src/phases/drift.ts';
import { apply } from './apply.ts';

/** Brings hosts back to what an earlier run made of them; what the cluster file wants otherwise since is left to apply. */
export const repair: Playbook<Context> = {
  verb: 'repair',
  phases: apply.phases,
  only: isDrift,
};
