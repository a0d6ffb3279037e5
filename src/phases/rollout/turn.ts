import type { Host } from '../../config/cluster.ts';
import type { UnitState } from '../../engine/state.ts';
import { stateOf, type Context } from '../context.ts';
import type { Installation } from '../install.ts';

/** Seconds until what was restarted has to serve; an API server may have long requests to end first. */
export const TIMEOUT = 180;
/** What ends so often does not come up. */
export const RESTARTS = 12;

const stateOfUnit = (context: Context, host: Host, unit: string): UnitState | undefined => stateOf(context, host).units[unit];

export const isLoaded = (...of: Parameters<typeof stateOfUnit>): boolean => stateOfUnit(...of)?.loaded === true;

export const serves = (...of: Parameters<typeof stateOfUnit>): boolean =>
  ['active', 'reloading'].includes(stateOfUnit(...of)?.active ?? '');

/** Whether the unit serves, and runs from something else than it is to run from. */
export function restarts(context: Context, { host, start }: Installation): boolean {
  if (start === undefined) return false;
  const { name, digest } = start.action;
  return isLoaded(context, host, name) && serves(context, host, name) && stateOfUnit(context, host, name)!.digest !== digest;
}

/** Shell text that fails unless the unit runs. A restart that was ordered and has not begun leaves it active. */
export const running = (unit: string): string => `s=$(systemctl show -p ActiveState -p Job ${unit})
case $s in *Job=[1-9]*) echo '${unit} is about to be restarted'; exit 1 ;; *ActiveState=active*) ;; *) echo "${unit}: $s"; exit 1 ;; esac`;
