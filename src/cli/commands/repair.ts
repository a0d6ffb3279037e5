import { repair as playbook } from '../../../playbooks/repair.ts';
import { kubelet } from '../../components/kubelet.ts';
import { runPipeline } from '../../engine/pipeline.ts';
import { refuseLostMembers } from '../../phases/drift.ts';
import { registerStep, unitStep } from '../../phases/step-ids.ts';
import { applying } from '../apply-pipeline.ts';
import type { Handler } from '../command.ts';
import { driftOf } from '../drift.ts';
import { exitCodes } from '../exit-code.ts';
import { globalOptions } from '../options.ts';
import { withSession } from '../session.ts';
import { seconds } from '../style.ts';
import { verifyCluster } from '../verify.ts';
import { conclude } from '../working.ts';

/** Mends what somebody changed on the hosts, and nothing else. */
export const repair: Handler = async ({ options: given }, io) => {
  const options = globalOptions(given);
  const start = performance.now();
  return withSession('repair', { options, io }, async (session) => {
    // What the file wants otherwise is left to apply, and so is its outage.
    const pipeline = applying(session, { options: { ...options, acceptOutage: true }, io, playbook });
    let pending = 0;
    let nodesConcerned = false;
    const finish = await runPipeline({
      ...pipeline,
      check: async (gathered) => {
        refuseLostMembers(gathered.context);
        await pipeline.check(gathered);
        pending = driftOf(gathered).pending ?? 0;
      },
      confirm: (plan, gathered) => {
        nodesConcerned = plan.steps.some(({ id, host: name }) => id === unitStep({ name }, kubelet) || id === registerStep({ name }));
        return pipeline.confirm(plan, gathered);
      },
      // Pods that try everything out would be more of a disturbance than most repairs; a node that was away is told by nothing less.
      verify: async (gathered, changed) => {
        const { context } = changed && !nodesConcerned ? await session.gather() : gathered;
        await verifyCluster(session, { context: { ...context, inventory: session.state.inventory() }, quick: !nodesConcerned });
      },
    });
    const ms = await conclude(session, finish, start);
    if (finish.kind === 'declined') return exitCodes.aborted;
    io.stderr.write(finish.kind === 'unchanged' ? `Nothing to mend (${seconds(ms)}).\n` : `Mended in ${seconds(ms)}.\n`);
    if (pending > 0) io.stderr.write(`The cluster file wants ${pending} more steps, which are left to slipway apply.\n`);
    return exitCodes.ok;
  });
};
