import { preflightContext } from '../checks/preflight/context.ts';
import { preflight, preflightChecks, preflightError } from '../checks/preflight/index.ts';
import type { Emit } from '../engine/events.ts';
import type { Context } from '../phases/context.ts';

/** Warns about what a person should know, and throws for what stands in the way. Skipped checks are named, so that no report hides them. */
export function runPreflight({ cluster, limit, facts, versions }: Context, { emit, skip }: { emit: Emit; skip: readonly string[] }): void {
  const checks = preflightChecks.filter(({ id }) => !skip.includes(id));
  for (const id of skip) emit({ code: 'warning', message: `the check ${id} is skipped, as asked for` });
  const findings = preflight(preflightContext({ cluster, facts, versions }), checks).filter(
    ({ hosts }) => limit === undefined || hosts.length === 0 || hosts.some((host) => limit.includes(host)),
  );
  for (const { severity, hosts, what, hint } of findings) {
    if (severity === 'warning') emit({ code: 'warning', message: hosts.length > 0 ? `${hosts.join(', ')}: ${what}` : what, hint });
  }
  const error = preflightError(findings);
  if (error) throw error;
}
