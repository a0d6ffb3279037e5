import { sh } from '../../base/quote.ts';
import { API_ENDPOINT_PORT, isNode } from '../../components/topology.ts';
import { asked } from './health.ts';
import { count, failing, verdict, type VerifyCheck } from './verify.ts';

/**
 * An API server answers a question without TLS by 400: that shows that it was reached, without a certificate. A load balancer of the user's
 * own may answer by itself, so there any answer counts.
 */
export const apiEndpoint: VerifyCheck = {
  id: 'api-endpoint',
  title: 'Every node reaches the API',
  covers: isNode,
  probe(host, { cluster, patience }) {
    if (!isNode(host)) return undefined;
    const { endpoint } = cluster.api;
    const [address, port] = endpoint === 'node-local' ? ['127.0.0.1', API_ENDPOINT_PORT] : [endpoint.host, endpoint.port];
    return `s_end=$(($(date +%s) + ${patience}))
until s_said=$(${sh`s_get ${address} ${port}`} /readyz); case $s_said in HTTP*) true ;; *) [ "$(date +%s)" -ge "$s_end" ] ;; esac; do sleep 0.3; done
printf '%s\\n' "$s_said"`;
  },
  run(context) {
    const { endpoint } = context.cluster.api;
    const local = endpoint === 'node-local';
    const where = local ? `127.0.0.1:${API_ENDPOINT_PORT}` : `${endpoint.host}:${endpoint.port}`;
    const findings = asked(context).flatMap((host) => {
      const { name } = host;
      const said = context.seen(host)!;
      if (said.startsWith('HTTP')) return [];
      const what = !local
        ? `the load balancer at ${where} does not answer`
        : /refused/i.test(said)
          ? `nothing listens on ${where}: api-endpoint (HAProxy) does not run`
          : `api-endpoint (HAProxy on ${where}) has no API server that is ready`;
      const hint = local
        ? 'systemctl status api-endpoint on the node; it needs port 6443 of the control planes'
        : 'look at the load balancer, and at the way there';
      return [failing(name, what, { hint, evidence: `${name}: ${said}` })];
    });
    return verdict(findings, { message: `${where} on ${count(asked(context).length, 'node')}` });
  },
};
