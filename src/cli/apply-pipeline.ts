import { apply as playbook } from '../../playbooks/apply.ts';
import { SlipwayError } from '../base/errors.ts';
import type { Pipeline } from '../engine/pipeline.ts';
import type { Playbook } from '../engine/phase.ts';
import { leftUnlabelled, speakerOf } from '../phases/addons.ts';
import type { Context } from '../phases/context.ts';
import { checkFlags, fetchAndCheckFlags, uncheckedWarning, type Unchecked } from './check-flags.ts';
import type { GlobalOptions } from './options.ts';
import { runPreflight } from './preflight.ts';
import type { Session } from './session.ts';

/** The part of the apply pipeline that plan and apply share. */
export interface Planning extends Pick<Pipeline<Context>, 'playbook' | 'gather' | 'check' | 'emit' | 'stop'> {
  /** Asks the binaries that had to be fetched first whether they have the flags of the cluster file. */
  checkFetchedFlags(): Promise<void>;
}

export function planning(session: Session, options: GlobalOptions): Planning {
  const question = { cluster: session.cluster, locate: session.locate, file: options.file, store: session.store, signal: session.stop };
  let unchecked: readonly Unchecked[] | undefined;
  return {
    playbook: withoutPhases(playbook, options.skipPhase),
    gather: async () => {
      // Once for a run; before any host is asked, because the file alone can be wrong here.
      if (unchecked === undefined) {
        unchecked = await checkFlags(question);
        for (const one of unchecked)
          session.emit({ code: 'warning', ...uncheckedWarning(one, 'apply fetches it and checks them before it changes a host') });
      }
      return session.gather();
    },
    checkFetchedFlags: () =>
      fetchAndCheckFlags({
        ...question,
        unchecked: unchecked ?? [],
        onFetch: (names) => session.emit({ code: 'stage', stage: 'check', detail: `fetching ${names.join(', ')} to ask for flags` }),
      }),
    check: ({ context }) => {
      runPreflight(context, { emit: session.emit, skip: options.skipCheck });
      const unlabelled = leftUnlabelled(context);
      const speaker = speakerOf(context.cluster).name;
      if (unlabelled.length > 0)
        session.emit({
          code: 'warning',
          message: `labels and taints of ${unlabelled.join(', ')} are not set: that is done through ${speaker}, which --limit leaves out`,
          hint: `run slipway apply afterwards, or --limit ${[speaker, ...unlabelled].join(',')}`,
        });
    },
    emit: session.emit,
    stop: session.stop,
  };
}

function withoutPhases(whole: Playbook<Context>, skip: readonly string[]): Playbook<Context> {
  const unknown = skip.find((id) => !whole.phases.some((phase) => phase.id === id));
  if (unknown !== undefined) {
    throw new SlipwayError(`there is no phase ${unknown}`, {
      code: 'PHASE_UNKNOWN',
      category: 'usage',
      hint: `phases of ${whole.verb}: ${whole.phases.map(({ id }) => id).join(', ')}`,
    });
  }
  return { ...whole, phases: whole.phases.filter(({ id }) => !skip.includes(id)) };
}
