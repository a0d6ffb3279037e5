import { isControlPlane, KUBECTL } from '../../components/topology.ts';
import { asked, healthFindings, healthProbe } from './health.ts';
import { count, failing, verdict, type CheckContext, type Finding, type VerifyCheck } from './verify.ts';

/** Seconds: a leader renews its lease every 2 s and loses it after 15 s (client-go's leader election as both components use it). */
const LEASE = 15;

/** Seconds: a new leader watches the lease of a lost one for its whole length before it takes it. */
export const TAKEOVER = 25;

/** One process of several leads, and says so in a lease; the others wait. */
export function leadingCheck(component: 'kube-controller-manager' | 'kube-scheduler', title: string): VerifyCheck {
  const lease = `${KUBECTL} get --raw /apis/coordination.k8s.io/v1/namespaces/kube-system/leases/${component} --request-timeout=5s`;
  return {
    id: component.replace('kube-', ''),
    title,
    covers: isControlPlane,
    probe(host, context) {
      if (!isControlPlane(host)) return undefined;
      return `${healthProbe(context, { host, component })!}
s_started=$(date -d "$(systemctl show -p ExecMainStartTimestamp --value ${component})" +%s)
# After a loss of power the lease still names the process that was here before, as fresh as it was renewed last.
s_age() {
  s_lease=$(${lease} 2>&1); s_time=$(printf '%s' "$s_lease" | sed -n 's/.*"renewTime":"\\([^"]*\\)".*/\\1/p')
  [ -n "$s_time" ] || return 1
  s_renewed=$(date -d "$s_time" +%s); s_age=$(($(date +%s) - s_renewed)) s_lost=
  case $s_lease in *'"holderIdentity":"'"$(hostname)"_*) [ "$s_renewed" -ge "\${s_started:-0}" ] || s_lost=lost ;; esac
}
case $s_said in 'HTTP 200'*) s_wait=${Math.max(context.patience, TAKEOVER)} ;; *) s_wait=0 ;; esac
s_from=$(date +%s)
until s_age && [ "$s_age" -le ${LEASE} ] && [ -z "$s_lost" ]; do
  # A lease that nobody can read tells nothing, however long one waits.
  [ -n "$s_time" ] || [ "$s_wait" -le ${context.patience} ] || s_wait=${context.patience}
  [ $(($(date +%s) - s_from)) -lt "$s_wait" ] || break
  sleep 0.5
done
printf '@lease %s%s %s\n' "\${s_age:--}" "\${s_lost:+ lost}" "$s_lease"`;
    },
    run(context) {
      const findings = [...healthFindings(context, component), ...leaseFindings(context, component)];
      const holder = holderOf(context);
      return verdict(findings, {
        message: `${count(asked(context).length, 'process')} well${holder ? `, ${holder} leads` : ''}`.replace('processs', 'processes'),
        data: { leader: holder },
      });
    },
  };
}

interface Lease {
  holder: string;
  /** Seconds since it was renewed. */
  age: number;
  /** By a process that has ended. */
  lost: boolean;
}

function leaseOf(context: CheckContext): Lease | undefined {
  const found = asked(context).flatMap((host): Lease[] => {
    const [, age, lost, text] = /@lease (\d+)(?: (lost))? (\{.*)/.exec(context.seen(host)!) ?? [];
    if (text === undefined) return [];
    const { spec } = JSON.parse(text) as { spec?: { holderIdentity?: string } };
    return [{ holder: spec?.holderIdentity ?? '', age: Number(age), lost: lost !== undefined }];
  });
  // Only the holder's own host can tell that it is lost.
  return found.find(({ lost }) => lost) ?? found[0];
}

/** A holder is called HOSTNAME_UUID. */
function holderOf(context: CheckContext): string | undefined {
  return leaseOf(context)?.holder.replace(/_[0-9a-f-]{36}$/, '');
}

function leaseFindings(context: CheckContext, component: string): Finding[] {
  // Without an answer the API server is to blame, which has a check of its own.
  if (!asked(context).some((host) => /@lease .*(?:\{|NotFound)/.test(context.seen(host)!))) return [];
  const lease = leaseOf(context);
  const hint = `journalctl -u ${component} on the host tells more`;
  if (!lease) return [failing([], `no ${component} leads: nobody has ever taken its lease`, { hint })];
  if (lease.holder === '') return [failing([], `no ${component} leads: the last one gave its lease back when it was stopped`, { hint })];
  if (lease.age > LEASE || lease.lost)
    return [failing([], `no ${component} leads: ${holderOf(context)!} renewed its lease ${lease.age} s ago for the last time`, { hint })];
  return [];
}
