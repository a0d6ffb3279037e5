import type { Playbook } from '../src/engine/phase.ts';
import type { Context } from '../src/phases/context.ts';
import { drain, forgetNodes, leaveEndpoints, leaveEtcd, onceForgotten, onceLeft, type Removal } from '../src/phases/remove.ts';
import { giveBack, removePackages, stop, unlinkNetwork } from '../src/phases/reset/phases.ts';

/** Takes hosts out of a running cluster, and gives them back as they were found. */
export const remove = (removal: Removal): Playbook<Context> => ({
  verb: 'remove',
  phases: [
    drain(removal),
    leaveEndpoints,
    leaveEtcd(removal),
    onceLeft(stop),
    onceLeft(unlinkNetwork),
    forgetNodes,
    onceForgotten(removePackages),
    onceForgotten(giveBack),
  ],
});
