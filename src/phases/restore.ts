import { SlipwayError } from '../base/errors.ts';
import { LOCAL_ETCDCTL } from '../components/etcd.ts';
import { isControlPlane, isEtcdMember, KUBECTL } from '../components/topology.ts';
import type { Host } from '../config/cluster.ts';
import type { Phase } from '../engine/phase.ts';
import { VAR } from '../engine/state.ts';
import { stepId } from '../engine/step.ts';
import { plannedHosts, type Context } from './context.ts';
import { untilDone } from './manifests.ts';
import { hasData, knownMembers } from './members.ts';

/** Without etcd it would need a minute and a half to end by itself, and has nothing to lose. */
const KILL_API = `systemctl stop --no-block kube-apiserver.service
systemctl kill --signal=KILL kube-apiserver.service 2>/dev/null || :
systemctl stop kube-apiserver.service
`;

const DROP_IN = '/run/systemd/system/etcd.service.d/slipway-restore.conf';

/** The one host of the plan becomes the only member of an etcd that has its data. */
export const restoreMember: Phase<Context> = {
  id: 'restore-member',
  title: 'Restore etcd',
  summary: 'Makes one member that is left the only one of an etcd with its data; a copy of that data is kept on the host.',
  plan: (context) =>
    plannedHosts(context).map((host) => ({
      id: stepId(host.name, 'restore', 'etcd'),
      host: host.name,
      summary: `make ${host.name} the only member of etcd, with the data that it has`,
      action: { kind: 'script', script: forceNewCluster(host) },
    })),
};

/** @see https://etcd.io/docs/v3.6/op-guide/recovery/ ("Restarting a cluster that lost quorum") */
function forceNewCluster(host: Host): string {
  const api = isControlPlane(host);
  return `s_healthy() { ${LOCAL_ETCDCTL} --command-timeout=3s endpoint health; }
${api ? KILL_API : ''}systemctl stop etcd.service
rm -rf ${VAR}/etcd-before-restore
cp -a /var/lib/etcd ${VAR}/etcd-before-restore
trap 'rm -f ${DROP_IN}; systemctl daemon-reload' EXIT
mkdir -p ${DROP_IN.slice(0, DROP_IN.lastIndexOf('/'))}
printf '[Service]\nEnvironment=ETCD_FORCE_NEW_CLUSTER=true\n' >${DROP_IN}
systemctl daemon-reload
systemctl start --no-block etcd.service
${untilDone('s_healthy', 120)}
rm -f ${DROP_IN}
systemctl daemon-reload
systemctl restart --no-block etcd.service
${untilDone('s_healthy', 120)}
${api ? `systemctl start --no-block kube-apiserver.service\n${untilDone(`${KUBECTL} get --raw /readyz`, 120)}` : ''}`;
}

/**
 * Throws RESTORE_NEEDLESS (refused) while etcd has its quorum, RESTORE_NO_DATA (refused) where there is nothing to restore from, RESTORE_OTHERS
 * (refused) while another host with data of etcd is there: the two would go on with histories of their own.
 */
export function refuseRestore(context: Context, member: string): void {
  const refuse = (code: string, message: string, hint: string): never => {
    throw new SlipwayError(message, { code, category: 'refused', where: { host: member }, hint });
  };
  const host = context.cluster.hosts.find(({ name }) => name === member)!;
  if (!isEtcdMember(host) || !hasData(context, host))
    refuse('RESTORE_NO_DATA', `${member} has no data of etcd`, 'name the host whose etcd is to be kept');
  if (knownMembers(context))
    refuse(
      'RESTORE_NEEDLESS',
      'etcd answers: most of its members are up',
      'slipway remove HOST --dead takes out what is gone, and slipway join brings a new one',
    );
  const others = context.cluster.hosts.filter((other) => other.name !== member && isEtcdMember(other) && hasData(context, other));
  if (others.length > 0)
    refuse(
      'RESTORE_OTHERS',
      `${others.map(({ name }) => name).join(', ')}: also there, and with data of etcd`,
      `start its etcd if that makes most members again; if it is to be given up, slipway reset --limit ${others[0]!.name} first`,
    );
}
