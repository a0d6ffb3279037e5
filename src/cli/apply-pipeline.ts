import { apply as playbook } from '../../playbooks/apply.ts';
import { SlipwayError } from '../base/errors.ts';
import type { Pipeline } from '../engine/pipeline.ts';
import type { Playbook } from '../engine/phase.ts';
import type { Context } from '../phases/context.ts';
import type { GlobalOptions } from './options.ts';
import { runPreflight } from './preflight.ts';
import type { Session } from './session.ts';

/** The part of the apply pipeline that plan and apply share. */
export function planning(
  session: Session,
  options: GlobalOptions,
): Pick<Pipeline<Context>, 'playbook' | 'gather' | 'check' | 'emit' | 'stop'> {
  return {
    playbook: withoutPhases(playbook, options.skipPhase),
    gather: session.gather,
    check: ({ context }) => runPreflight(context, { emit: session.emit, skip: options.skipCheck }),
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
