import { SlipwayError } from '../../base/errors.ts';
import { isControlPlane, isEtcdMember, isNode } from '../../components/topology.ts';
import type { Host } from '../../config/cluster.ts';
import { plannedHosts, stateOf, type Context } from '../context.ts';
import { knownMembers, quorumOf, type Member } from '../members.ts';
import { nodesAsTold } from '../nodes.ts';

export interface Caution {
  host: string;
  message: string;
  hint: string;
}

/**
 * What a cluster that goes on would lose with the hosts that are given back without leaving it. Nothing where all of it goes, or where it has no
 * quorum to lose: what is dead can always be given back. `healthy`: names of the members of etcd that answer.
 *
 * @throws SlipwayError RESET_UNSAFE (refused).
 */
export function cautions(context: Context, healthy: ReadonlySet<string>): Caution[] {
  const leaving = plannedHosts(context);
  const staying = context.cluster.hosts.filter((host) => !leaving.includes(host));
  const voters = knownMembers(context)?.members.filter(({ learner }) => !learner);
  const going = leaving.filter((host) => voters?.some(({ name }) => name === host.name));
  const ready = readyNodes(context);
  if (!staying.some(isControlPlane) || going.length === voters?.length) {
    const orphans = staying.filter(({ name }) => ready.has(name));
    if (orphans.length === 0) return [];
    throw unsafe(leaving, {
      message: `with ${names(leaving)} the whole cluster goes, and ${names(orphans)} would stay behind in it`,
      hint: 'slipway reset without --limit gives all hosts back; of those that do not answer any more: slipway remove HOST --dead, before',
    });
  }
  const answer = (voters ?? []).filter(({ name }) => healthy.has(name));
  const left = answer.filter(({ name }) => !going.some((host) => host.name === name)).length;
  const needed = quorumOf(voters?.length ?? 0);
  if (answer.length >= needed && left < needed)
    throw unsafe(going, {
      message: `without ${names(going)} etcd would have ${left} of its ${voters?.length} members, and needs ${needed}`,
      hint: `so that they leave it first, one after the other: ${going.map(({ name }) => `slipway remove ${name}`).join('; ')}. The whole cluster: slipway reset without --limit`,
    });
  return leaving.flatMap((host) => caution(context, { host, members: going.includes(host) ? voters : undefined, ready }) ?? []);
}

function caution(
  context: Context,
  { host, members, ready }: { host: Host; members: readonly Member[] | undefined; ready: ReadonlySet<string> },
): Caution | undefined {
  const { name } = host;
  if (members)
    return {
      host: name,
      message: `etcd goes on counting it as one of its ${members.length} members`,
      hint: `slipway remove ${name} takes it out first`,
    };
  if (!knownMembers(context) && isEtcdMember(host) && stateOf(context, host).units['etcd.service']?.active === 'active')
    return {
      host: name,
      message: 'etcd runs there, and no control plane that answers tells whether the others have a quorum without it',
      hint: 'slipway status shows what is down',
    };
  if (isNode(host) && ready.has(name))
    return {
      host: name,
      message: 'it is a node of the running cluster, which loses its pods at once',
      hint: `slipway remove ${name} lets them start elsewhere first`,
    };
  return undefined;
}

const names = (hosts: readonly Host[]): string => hosts.map(({ name }) => name).join(', ');

function unsafe(hosts: readonly Host[], { message, hint }: { message: string; hint: string }): SlipwayError {
  return new SlipwayError(message, { code: 'RESET_UNSAFE', category: 'refused', where: { host: hosts[0]!.name }, hint });
}

function readyNodes(context: Context): Set<string> {
  return new Set([...nodesAsTold(context).matchAll(/^ready (\S+) True$/gm)].map((match) => match[1]!));
}
