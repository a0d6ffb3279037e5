import { SlipwayError } from '../base/errors.ts';
import { etcd } from '../components/etcd.ts';
import { kubelet } from '../components/kubelet.ts';
import { isEtcdMember, isNode } from '../components/topology.ts';
import type { Host } from '../config/cluster.ts';
import { wantedDigest } from '../engine/plan.ts';
import type { Step } from '../engine/step.ts';
import { plannedHosts, stateOf, type Context } from './context.ts';
import { registeredNodes } from './nodes.ts';
import { unitStep } from './step-ids.ts';

/** What a host has for its own sake, whatever the cluster file says: it was as wanted already, or somebody changed it. */
const lasting: readonly Step['action']['kind'][] = ['directory', 'user', 'sysctl', 'package'];

/**
 * Tells drift from pending changes. Drift is what an earlier run brought a host to, is still wanted, and is not so any more; and everything on a
 * host that lost all of it, though the cluster has its node. What the cluster file wants otherwise since, and what an installation has not got to
 * yet, is for apply.
 */
export function isDrift(context: Context): (step: Step) => boolean {
  const lost = new Set(reinstalledHosts(context).map(({ name }) => name));
  return (step) => {
    if (lost.has(step.host)) return true;
    const recorded = context.states[step.host]?.recorded ?? {};
    const whole = [kubelet, etcd].some((component) => unitStep({ name: step.host }, component) in recorded);
    if (!whole) return false;
    const before = recorded[step.id];
    if (before === undefined) return step.drift === true || lasting.includes(step.action.kind);
    // Records of versions before 0.1.0 are of the whole action.
    return before === wantedDigest(step) || before === wantedDigest({ action: step.action });
  };
}

/** Hosts that have nothing of ours any more, though the cluster knows their nodes. */
export function reinstalledHosts(context: Context): Host[] {
  const nodes = registeredNodes(context);
  return plannedHosts(context).filter(
    (host) =>
      isNode(host) && nodes?.has(host.name) && host.name in context.facts && Object.keys(stateOf(context, host).recorded).length === 0,
  );
}

/** A member of etcd that lost its disk is not mended in place: its name still stands for data that is gone. Throws MEMBER_LOST (refused). */
export function refuseLostMembers(context: Context): void {
  const lost = reinstalledHosts(context).find(isEtcdMember);
  if (lost)
    throw new SlipwayError(`${lost.name} was installed anew, and etcd still counts on the data that it had`, {
      code: 'MEMBER_LOST',
      category: 'refused',
      where: { host: lost.name },
      hint: `slipway remove ${lost.name} --dead, write it to the cluster file again, then slipway join ${lost.name}`,
    });
}
