import { explainUnits } from '../checks/verify/unit-log.ts';
import type { Finish, Pipeline } from '../engine/pipeline.ts';
import type { Context } from '../phases/context.ts';
import { operator } from '../phases/operator.ts';
import type { Session } from './session.ts';

/** What every verb that changes hosts takes from its session. */
export function working(session: Session): Pick<Pipeline<Context>, 'runner' | 'operator' | 'lock' | 'explain' | 'emit' | 'stop'> {
  return {
    runner: session.runner,
    operator: ({ context }) => operator({ store: session.store, state: session.state, context }),
    lock: session.lock,
    explain: explainUnits,
    emit: session.emit,
    stop: session.stop,
  };
}

/** The last event, and the end of the display; milliseconds since `start`. */
export async function conclude(session: Session, finish: Finish, start: number): Promise<number> {
  const ms = performance.now() - start;
  session.emit({ code: 'run.finished', ok: finish.kind !== 'declined', ms: Math.round(ms), stats: session.stats });
  await session.settleDisplay();
  return ms;
}
