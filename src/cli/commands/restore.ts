import { restore as playbook } from '../../../playbooks/restore.ts';
import { SlipwayError } from '../../base/errors.ts';
import { isEtcdMember } from '../../components/topology.ts';
import { runPipeline } from '../../engine/pipeline.ts';
import type { Context } from '../../phases/context.ts';
import { refuseRestore } from '../../phases/restore.ts';
import type { Handler } from '../command.ts';
import { confirmByName, refuseWrongName } from '../confirm-name.ts';
import { exitCodes } from '../exit-code.ts';
import { globalOptions } from '../options.ts';
import { planText } from '../plan-text.ts';
import { withSession } from '../session.ts';
import { painter, seconds } from '../style.ts';
import { conclude, working } from '../working.ts';

/** Brings etcd back from the one member that is left of it, after the cluster's name was typed. */
export const restore: Handler = async ({ options: given }, io) => {
  const options = globalOptions(given);
  const [member, name] = [given['fromMember'] as string | undefined, given['confirm'] as string | undefined];
  if (member === undefined)
    throw new SlipwayError('restore from what?', {
      code: 'OPTION_INVALID',
      category: 'usage',
      hint: 'slipway restore --from-member HOST, with the host whose etcd is left',
    });
  const start = performance.now();
  return withSession('restore', { options: { ...options, limit: [member] }, io }, async (session) => {
    refuseWrongName(session.cluster.name, name);
    const finish = await runPipeline<Context>({
      ...working(session),
      playbook,
      gather: session.gather,
      check: async ({ context }) => refuseRestore(context, member),
      confirm: async (plan) => {
        await session.settleDisplay();
        io.stderr.write(`${planText(plan, { paint: painter(io.color.stderr), details: options.verbose })}\n`);
        const warning = `What ${member} had not yet heard of when the others were lost is gone, and the others can never come back with their data.`;
        return confirmByName({ name: session.cluster.name, given: name, warning }, { options, io });
      },
      verify: () => Promise.resolve(),
    });
    const ms = await conclude(session, finish, start);
    if (finish.kind === 'declined') return exitCodes.aborted;
    const lost = session.cluster.hosts.filter((host) => isEtcdMember(host) && host.name !== member);
    io.stderr.write(
      [
        `Done in ${seconds(ms)}: ${member} is etcd’s only member, and the API answers. Next, one after the other:`,
        ...lost.map((host) => `  slipway remove ${host.name} --dead`),
        '  slipway verify',
        'Then join new control planes. The data as they were are kept on the host in /var/lib/slipway/etcd-before-restore until its reset.',
        '',
      ].join('\n'),
    );
    return exitCodes.ok;
  });
};
