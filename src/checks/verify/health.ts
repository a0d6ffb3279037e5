import { sh } from '../../base/quote.ts';
import type { Host } from '../../config/cluster.ts';
import { KUBECTL } from '../../components/topology.ts';
import { declared, failing, type CheckContext, type Finding, type VerifyContext } from './verify.ts';

/** Shell text that asks a component on its own host whether it is well, and once more while it may still be coming up. */
export function healthProbe(context: VerifyContext, { host, component }: { host: Host; component: string }): string | undefined {
  const health = declared(context, host).find((entry) => entry.component.name === component)?.declaration.health;
  if (!health) return undefined;
  const { scheme, port, path } = health;
  // kubectl speaks TLS where nothing else does; its own certificate is not one that the component's was signed by.
  const ask =
    scheme === 'http'
      ? sh`s_get 127.0.0.1 ${port} ${path}`
      : `{ s_body=$(${KUBECTL} ${sh`--server=https://127.0.0.1:${port} --insecure-skip-tls-verify get --raw ${path}`} --request-timeout=5s 2>&1) && echo 'HTTP 200'; printf '%s\\n' "$s_body"; }`;
  return `s_end=$(($(date +%s) + ${context.patience}))
until s_said=$(${ask}); case $s_said in 'HTTP 200'*) true ;; *) [ "$(date +%s)" -ge "$s_end" ] ;; esac; do sleep 0.3; done
printf '%s\\n' "$s_said"`;
}

/** The hosts on which the component is not well, by what its probe printed first. */
export function healthFindings(context: CheckContext, component: string): Finding[] {
  return context.cluster.hosts.flatMap((host) => {
    const said = context.seen(host);
    if (said === undefined || said.startsWith('HTTP 200')) return [];
    const [first = '', ...rest] = said.split(/\n(?=@)/)[0]!.split('\n');
    const what = first.startsWith('HTTP ')
      ? `${component} says that it is not well (${first})`
      : `${component} does not answer its health probe`;
    return [
      failing(host.name, what, {
        hint: `journalctl -u ${component} on the host tells more`,
        evidence: `${host.name}: ${[first, ...rest].slice(0, 5).join(' ')}`,
      }),
    ];
  });
}

/** How many hosts were asked. */
export function asked(context: CheckContext): Host[] {
  return context.cluster.hosts.filter((host) => context.seen(host) !== undefined);
}
