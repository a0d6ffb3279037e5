import { controlPlanes, isControlPlane, KUBECTL } from '../../components/topology.ts';
import { count, failing, list, notTried, verdict, type VerifyCheck } from './verify.ts';

const hint = 'journalctl -u kube-apiserver on the host tells more; it cannot be ready before etcd is';

/** Each on its own host, so that no load balancer hides one that is broken. */
export const apiServer: VerifyCheck = {
  id: 'api-server',
  title: 'Every API server is ready',
  covers: isControlPlane,
  probe: (host, { patience }) =>
    isControlPlane(host)
      ? `s_end=$(($(date +%s) + ${patience}))
until s_said=$(${KUBECTL} get --raw '/readyz?verbose' --request-timeout=5s 2>&1); do [ "$(date +%s)" -lt "$s_end" ] || break; sleep 0.5; done
printf '%s\\n' "$s_said"`
      : undefined,
  run(context) {
    const hosts = controlPlanes(context.cluster).filter((host) => context.seen(host) !== undefined);
    const findings = hosts.flatMap((host) => {
      // kubectl quotes what a server says that is not ready.
      const said = context.seen(host)!.replaceAll('\\n', '\n');
      if (/^readyz check passed/m.test(said)) return [];
      const failed = [...said.matchAll(/\[-\](\S+) failed/g)].map(([, name]) => name!);
      if (failed.length > 0) return [failing(host.name, `the API server is not ready: ${list(failed)}`, { hint })];
      return [failing(host.name, 'the API server does not answer on 127.0.0.1:6443', { hint, evidence: said.split('\n').at(-1)! })];
    });
    return verdict(findings, { message: `${count(hosts.length, 'API server')} ready` });
  },
  quick({ cluster, states, nodesProbe }) {
    const all = controlPlanes(cluster);
    if (all.length === 0) return notTried('no control plane was looked at');
    const silent = all.filter(({ name }) => (states[name]?.probes[nodesProbe] ?? '') === '');
    return verdict(
      silent.map(({ name }) => failing(name, 'the API server does not answer', { hint })),
      { message: `${count(all.length, 'API server')} answered` },
    );
  },
};
