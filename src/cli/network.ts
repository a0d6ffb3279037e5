import { clock } from '../checks/preflight/clock.ts';
import { preflightContext } from '../checks/preflight/context.ts';
import { preflight } from '../checks/preflight/index.ts';
import { mtu } from '../checks/preflight/mtu.ts';
import { nodeNetwork } from '../checks/preflight/node-network.ts';
import { pathMtu } from '../checks/preflight/path-mtu.ts';
import { reachability } from '../checks/preflight/reachability.ts';
import { measureNetwork } from '../checks/network/measure.ts';
import { networkNeeds } from '../checks/network/needs.ts';
import type { Context } from '../phases/context.ts';
import { networkReport, type NetworkReport } from './network-report.ts';
import type { Session } from './session.ts';

const checks = [clock, nodeNetwork, mtu, reachability, pathMtu];

/** Everything about the network between the hosts, whether a cluster is on them or not; changes nothing. `start`: as performance.now() gives it. */
export async function verifyNetwork(
  { cluster, facts, versions, now, unread = [] }: Context,
  { session, skip, start }: { session: Session; skip: readonly string[]; start: number },
): Promise<NetworkReport> {
  session.emit({ code: 'stage', stage: 'verify', detail: 'trying the network between the hosts' });
  const known = { cluster, facts, versions };
  const measured = await measureNetwork(networkNeeds(known), { cluster, facts, runner: session.runner, stop: session.stop });
  session.stop.throwIfAborted();
  const findings = preflight(
    preflightContext({ ...known, network: measured }),
    checks.filter(({ id }) => !skip.includes(id)),
  );
  const silent = unread.map(({ host, error }) => ({
    check: 'hosts',
    severity: 'error' as const,
    hosts: [host.name],
    what: error.message,
    hint: error.hint ?? 'is it up, and does the network to it work?',
  }));
  return networkReport(measured, {
    cluster,
    facts,
    findings: [...silent, ...findings],
    time: new Date(now),
    ms: performance.now() - start,
  });
}
