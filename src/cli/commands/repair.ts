import { repair as playbook } from '../../../playbooks/repair.ts';
import { explainUnits } from '../../checks/verify/unit-log.ts';
import { readDiffs } from '../../engine/current.ts';
import { runPipeline } from '../../engine/pipeline.ts';
import { refuseLostMembers } from '../../phases/drift.ts';
import { operator } from '../../phases/operator.ts';
import { planning } from '../apply-pipeline.ts';
import type { Handler } from '../command.ts';
import { confirmPlan } from '../confirm.ts';
import { driftOf } from '../drift.ts';
import { exitCodes } from '../exit-code.ts';
import { globalOptions } from '../options.ts';
import { withSession } from '../session.ts';
import { seconds } from '../style.ts';
import { verifyCluster } from '../verify.ts';

/** Mends what somebody changed on the hosts, and nothing else. */
export const repair: Handler = async ({ options: given }, io) => {
  const options = globalOptions(given);
  const start = performance.now();
  return withSession('repair', { options, io }, async (session) => {
    const { fetchFirst, ...shared } = planning(session, options, playbook);
    let pending = 0;
    let nodesConcerned = false;
    const finish = await runPipeline({
      ...shared,
      check: async (gathered) => {
        refuseLostMembers(gathered.context);
        await shared.check(gathered);
        ({ pending } = driftOf(gathered));
      },
      confirm: async (plan, gathered) => {
        nodesConcerned = plan.steps.some(({ id, host }) => id === `${host}/kubelet/unit` || id === `${host}/nodes/register`);
        await session.settleDisplay();
        const confirmed = await confirmPlan(plan, { options, io, context: gathered.context, diffs: await readDiffs(plan, session.runner) });
        if (confirmed) await fetchFirst(gathered);
        return confirmed;
      },
      // Pods that try everything out would be more of a disturbance than most repairs; a node that was away is told by nothing less.
      verify: async (gathered, changed) => {
        const { context } = changed && !nodesConcerned ? await session.gather() : gathered;
        await verifyCluster(session, { context: { ...context, inventory: session.state.inventory() }, quick: !nodesConcerned });
      },
      runner: session.runner,
      operator: ({ context }) => operator({ store: session.store, state: session.state, context }),
      lock: session.lock,
      explain: explainUnits,
    });
    const ms = performance.now() - start;
    session.emit({ code: 'run.finished', ok: finish.kind !== 'declined', ms: Math.round(ms), stats: session.stats });
    await session.settleDisplay();
    if (finish.kind === 'declined') return exitCodes.aborted;
    io.stderr.write(finish.kind === 'unchanged' ? `Nothing to mend (${seconds(ms)}).\n` : `Mended in ${seconds(ms)}.\n`);
    if (pending > 0) io.stderr.write(`The cluster file wants ${pending} more steps, which are left to slipway apply.\n`);
    return exitCodes.ok;
  });
};
