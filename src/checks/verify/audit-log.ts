import { quote } from '../../base/quote.ts';
import { controlPlanes, isControlPlane, KUBECTL } from '../../components/topology.ts';
import { asked } from './health.ts';
import { count, failing, flagOf, verdict, type VerifyCheck } from './verify.ts';

const FLAG = { component: 'kube-apiserver', flag: 'audit-log-path' };

/** Asks each API server a question that nobody else asks, and finds it in that server's own audit log. */
export const auditLog: VerifyCheck = {
  id: 'audit-log',
  title: 'Every API server writes its audit log',
  covers: isControlPlane,
  applies: (context) => {
    const all = controlPlanes(context.cluster);
    return all.length === 0 || all.some((host) => logOf(flagOf(context, host, FLAG)) !== undefined);
  },
  probe(host, context) {
    const path = isControlPlane(host) ? logOf(flagOf(context, host, FLAG)) : undefined;
    if (path === undefined) return undefined;
    const mark = `slipway-verify-${context.now}`;
    return `if ${KUBECTL} get --raw '/api/v1/namespaces/default?${mark}' --request-timeout=5s 2>&1 >/dev/null
then for s_n in 1 2 3 4 5 6; do tail -c 1000000 ${quote(path)} | grep -q ${mark} && { echo written; exit; }; sleep 0.5; done; ls -l ${quote(path)}; df ${quote(path)} | tail -1
else echo silent; fi`;
  },
  run(context) {
    const hosts = asked(context);
    const findings = hosts.flatMap((host) => {
      const said = context.seen(host)!;
      // A server that does not answer has a check of its own.
      if (/^(?:written|.*silent)$/m.test(said)) return [];
      const path = logOf(flagOf(context, host, FLAG))!;
      return [
        failing(host.name, `a request is not found in the audit log ${path}`, {
          evidence: said,
          hint: 'look at --audit-log-path and --audit-policy-file of kube-apiserver, and whether the disk is full',
        }),
      ];
    });
    return verdict(findings, { message: `on ${count(hosts.length, 'control plane')}` });
  },
};

/** `-` is standard output, which the journal keeps. */
function logOf(path: string | undefined): string | undefined {
  return path === undefined || path === '' || path === '-' ? undefined : path;
}
