import type { Playbook } from '../src/engine/phase.ts';
import type { Context } from '../src/phases/context.ts';
import { restoreMember } from '../src/phases/restore.ts';

/** etcd lost most of its members for good: the one that is left goes on alone. */
export const restore: Playbook<Context> = {
  verb: 'restore',
  phases: [restoreMember],
};
