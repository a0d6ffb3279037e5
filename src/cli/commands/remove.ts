import { remove as playbook } from '../../../playbooks/remove.ts';
import { isSlipwayError, SlipwayError } from '../../base/errors.ts';
import { explainUnits } from '../../checks/verify/unit-log.ts';
import { removeHost } from '../../config/edit.ts';
import { loadCluster, readClusterFile, writeClusterFile } from '../../config/load.ts';
import { runPipeline } from '../../engine/pipeline.ts';
import type { Context } from '../../phases/context.ts';
import { explainDrain } from '../../phases/drain.ts';
import { refuseLast, refuseUnsafe, type Removal } from '../../phases/remove.ts';
import type { Handler } from '../command.ts';
import { confirmPlan } from '../confirm.ts';
import { answeringMembers } from '../etcd-health.ts';
import { exitCodes } from '../exit-code.ts';
import { hostsTold } from '../limit.ts';
import { globalOptions, wholeNumber } from '../options.ts';
import { withSession } from '../session.ts';
import { seconds } from '../style.ts';
import { verifyCluster } from '../verify.ts';
import { conclude, working } from '../working.ts';

/** Drains hosts, takes them out of etcd and the API, gives them back, and takes them out of the cluster file. */
export const remove: Handler = async ({ args, options: given }, io) => {
  const removal: Removal = {
    dead: given['dead'] === true,
    force: given['force'] === true,
    timeout: wholeNumber(given['timeout'], '--timeout'),
  };
  const options = { ...globalOptions(given), limit: args };
  const { cluster } = await loadCluster(options.file);
  const names = hostsTold(cluster, args);
  refuseLast(cluster, names);
  const serving = cluster.hosts.some((host) => names.includes(host.name) && host.roles.some((role) => role !== 'worker'));
  const start = performance.now();
  return withSession(
    'remove',
    { options, io, reach: { beside: serving ? 'all' : 'observer', ...(removal.dead ? { without: names } : {}) } },
    async (session) => {
      const finish = await runPipeline<Context>({
        ...working(session),
        playbook: playbook(removal),
        explain: (evidence) => explainDrain(evidence) ?? explainUnits(evidence),
        gather: async () => {
          try {
            return await session.gather();
          } catch (error) {
            throw orDead(error, names);
          }
        },
        check: async ({ context }) => {
          refuseUnsafe(context, { dead: removal.dead, healthy: serving ? await answeringMembers(session, context) : new Set() });
        },
        confirm: async (plan, { context }) => {
          await session.settleDisplay();
          return confirmPlan(plan, { options, io, context, diffs: {} });
        },
        verify: async ({ context }, changed) => {
          // Whatever the verification finds, an apply must not bring them back.
          await writeClusterFile(options.file, names.reduce(removeHost, await readClusterFile(options.file)));
          if (changed) await verifyCluster(session, { context: without(context), quick: false });
        },
      });
      const ms = await conclude(session, finish, start);
      if (finish.kind === 'declined') return exitCodes.aborted;
      io.stderr.write(
        `Done in ${seconds(ms)}: ${names.join(', ')} left the cluster and ${options.file}.\n` +
          (removal.dead
            ? 'Nothing was done on what is gone: should it come back, slipway reset --limit with the old file cleans it.\n'
            : ''),
      );
      return exitCodes.ok;
    },
  );
};

/** A host that does not answer may be gone for ever. */
function orDead(error: unknown, names: readonly string[]): unknown {
  if (!isSlipwayError(error) || error.category !== 'unreachable' || !names.includes(error.where.host ?? '')) return error;
  const { message, code, category, where, evidence, hint } = error;
  const dead = `when it is gone for ever: slipway remove ${where.host} --dead`;
  return new SlipwayError(message, { code, category, where, evidence, cause: error, hint: hint === undefined ? dead : `${hint}; ${dead}` });
}

/** The cluster as it is now. */
function without(context: Context): Context {
  const { limit = [], ...rest } = context;
  return { ...rest, cluster: { ...context.cluster, hosts: context.cluster.hosts.filter(({ name }) => !limit.includes(name)) } };
}
