import { preflightContext } from '../checks/preflight/context.ts';
import { preflight, preflightChecks, preflightError } from '../checks/preflight/index.ts';
import { pathMtu } from '../checks/preflight/path-mtu.ts';
import { reachability } from '../checks/preflight/reachability.ts';
import { measureNetwork } from '../checks/network/measure.ts';
import { networkNeeds, newHosts, type Measured } from '../checks/network/needs.ts';
import type { Emit } from '../engine/events.ts';
import type { Context } from '../phases/context.ts';
import type { Session } from './session.ts';

/**
 * Tries what the hosts need of each other as far as it concerns hosts that have nothing of ours yet; undefined: there are none, or nobody asks.
 * On a cluster that runs, slipway verify looks at the pod network itself.
 */
export async function measureNewHosts(context: Context, session: Session, skip: readonly string[]): Promise<Measured | undefined> {
  const concerning = newHosts(context);
  if (concerning.length === 0 || [reachability, pathMtu].every(({ id }) => skip.includes(id))) return undefined;
  const needs = networkNeeds({ ...context, concerning });
  if (needs.length === 0) return undefined;
  session.emit({ code: 'stage', stage: 'check', detail: 'trying the network between the hosts' });
  const { cluster, facts } = context;
  const measured = await measureNetwork(needs, { cluster, facts, runner: session.runner, stop: session.stop });
  session.stop.throwIfAborted();
  // Then the MTUs of the interfaces are all that is said.
  return skip.includes(pathMtu.id) ? { ...measured, sizes: [] } : measured;
}

/** Warns about what a person should know, and throws for what stands in the way. Skipped checks are named, so that no report hides them. */
export function runPreflight(
  { cluster, limit, facts, unadmitted, versions }: Context,
  { emit, skip, network }: { emit: Emit; skip: readonly string[]; network?: Measured | undefined },
): void {
  const checks = preflightChecks.filter(({ id }) => !skip.includes(id));
  for (const id of skip) emit({ code: 'warning', message: `the check ${id} is skipped, as asked for` });
  const findings = preflight(preflightContext({ cluster, facts, unadmitted, versions, network }), checks).filter(
    ({ hosts }) => limit === undefined || hosts.length === 0 || hosts.some((host) => limit.includes(host)),
  );
  for (const { severity, hosts, what, hint } of findings) {
    if (severity === 'warning') emit({ code: 'warning', message: hosts.length > 0 ? `${hosts.join(', ')}: ${what}` : what, hint });
  }
  const error = preflightError(findings);
  if (error) throw error;
}
