import { SlipwayError } from '../base/errors.ts';
import { quote } from '../base/quote.ts';
import { ETCDCTL } from '../components/etcd.ts';
import { etcdStore, flannelConfig } from '../components/flanneld.ts';
import { etcdMembers, isNode, leasesInEtcd } from '../components/topology.ts';
import { sha256 } from '../engine/actions/file.ts';
import type { Phase } from '../engine/phase.ts';
import type { Desired } from '../engine/step.ts';
import { plannedHosts, stateOf, type Context } from './context.ts';
import { untilDone } from './manifests.ts';
import { observerOf } from './nodes.ts';
import { flannelStoreStep } from './step-ids.ts';

/** Of etcd as flannel's store, on a control plane where it is that: `user NAME` for each user, `authentication true`, `config SHA256`. */
export const FLANNEL_STORE_PROBE = {
  name: 'flannel-store',
  script: `[ -s ${etcdStore.key} ] && [ -s /etc/kubernetes/pki/apiserver-etcd-client.key ] || exit 0
s_e() { timeout 8 ${ETCDCTL} --dial-timeout=2s --command-timeout=5s "$@"; }
s_e user list | sed 's/^/user /'
s_e auth status | sed -n 's/^Authentication Status: /authentication /p'
s_e get ${etcdStore.prefix}/config --print-value-only | head -c -1 | sha256sum | sed 's/^/config /; s/ *-$//'`,
};

/**
 * Gives flannel a user of etcd that may read and write below its prefix, and nothing else; and to those who hold everything, users that may. Until
 * etcd asks its clients who they are, every certificate of its authority opens all of it: so nobody gets flannel's before that.
 *
 * @see https://etcd.io/docs/v3.6/op-guide/authentication/rbac/
 */
export const flannelStore: Phase<Context> = {
  id: 'flannel-store',
  title: "flannel's store",
  summary: 'With network.flannel.store etcd: gives flannel a user and a prefix of its own in etcd.',
  plan(context) {
    const { cluster } = context;
    refuseOtherStore(context);
    const observer = observerOf(context);
    if (!leasesInEtcd(cluster) || !observer) return [];
    const all = ['root', 'kube-apiserver', ...etcdMembers(cluster).map(({ name }) => name)];
    const config = context.render('flanneld/net-conf.json.hbs', flannelConfig(cluster)).trim();
    return [
      {
        id: flannelStoreStep(observer),
        host: observer.name,
        summary: 'give flannel a user of its own in etcd',
        action: {
          kind: 'script',
          script: storeScript(all, config),
          done: {
            probe: FLANNEL_STORE_PROBE.name,
            lines: [...all, etcdStore.user].map((name) => `user ${name}`).concat('authentication true', `config ${sha256(config)}`),
          },
        },
      } satisfies Desired,
    ];
  },
};

const CALL = `s_e() { ${ETCDCTL} --command-timeout=10s "$@"; }`;

/** `all`: users of etcd that may do everything, by the names in their certificates. */
function storeScript(all: readonly string[], config: string): string {
  const { user, prefix } = etcdStore;
  return `${CALL}
s_user() { s_e user get "$1" >/dev/null 2>&1 || s_e user add "$1" --no-password || return; s_e user grant-role "$1" "$2"; }
s_store() {
  for s_u in ${all.map(quote).join(' ')}; do s_user "$s_u" root || return; done
  s_e role get ${user} >/dev/null 2>&1 || s_e role add ${user} || return
  s_e role grant-permission ${user} --prefix=true readwrite ${prefix}/ && s_user ${user} ${user} || return
  s_e auth status | grep -q ': true' || s_e auth enable || return
  [ "$(s_e get ${prefix}/config --print-value-only)" = ${quote(config)} ] || s_e put ${prefix}/config ${quote(config)}
}
${untilDone('s_store', 120)}`;
}

/** The subnets of nodes would be others, and every pod would have to be made again. Throws NETWORK_STORE_FIXED (refused). */
function refuseOtherStore(context: Context): void {
  const other = plannedHosts(context).find((host) => {
    const { files, units } = stateOf(context, host);
    return (
      isNode(host) && units['flanneld.service']?.loaded === true && (files[etcdStore.key] !== undefined) !== leasesInEtcd(context.cluster)
    );
  });
  if (!other) return;
  throw new SlipwayError(
    `network.flannel.store is ${context.cluster.network.flannel.store}, and flannel on ${other.name} keeps its leases in the other one`,
    {
      code: 'NETWORK_STORE_FIXED',
      category: 'refused',
      where: { host: other.name },
      hint: 'It cannot be changed while the cluster lives, because every pod would get another address: write what it was.',
    },
  );
}

/** Shell text that takes a host's subnet out of the store. */
export function forgetLease(address: string): string {
  return `${CALL}
for s_k in $(s_e get --prefix --keys-only ${etcdStore.prefix}/subnets/); do
  case $(s_e get --print-value-only "$s_k") in *${quote(`"PublicIP":"${address}"`)}*) s_e del "$s_k" ;; esac
done`;
}
