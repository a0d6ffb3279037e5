import type { Context } from '../phases/context.ts';
import { knownMembers } from '../phases/members.ts';
import { healthyMembers, memberHealth } from '../phases/remove.ts';
import type { Session } from './session.ts';

/** Names of etcd's members that answer, as the control plane sees them that told of them. */
export async function answeringMembers(session: Pick<Session, 'runner'>, context: Context): Promise<Set<string>> {
  const by = knownMembers(context)?.by;
  const health = by && (await (await session.runner(by.name)).run(memberHealth));
  return healthyMembers(context, health?.stdout ?? '');
}
