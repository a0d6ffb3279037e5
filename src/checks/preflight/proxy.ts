import { contains, isIPv4, overlaps, parseNetwork } from '../../config/addresses.ts';
import { finding, list, perHost, type PreflightCheck } from './preflight.ts';

/** A proxy that systemd hands to every service would also get the API server's calls to kubelets, and the other way round. */
export const proxy: PreflightCheck = {
  id: 'proxy',
  title: 'A proxy leaves the cluster alone',
  run: (context) =>
    perHost(context, ({ name }, { proxies }) => {
      const set = ['http_proxy', 'https_proxy', 'all_proxy'].filter((variable) => proxies[variable] !== undefined);
      if (set.length === 0) return [];
      const exceptions = (proxies['no_proxy'] ?? '').split(',').map((word) => word.trim());
      const { cluster } = context;
      const inside = [
        ...cluster.hosts.flatMap(({ privateAddress }) => privateAddress ?? []),
        cluster.network.serviceCidr,
        cluster.network.podCidr,
      ];
      const exposed = exceptions.includes('*') ? [] : inside.filter((target) => !exceptions.some((exception) => covers(exception, target)));
      if (exposed.length === 0) return [];
      return [
        finding('warning', name, {
          what: `${list(set)} ${set.length === 1 ? 'is' : 'are'} set (${proxies[set[0]!]!}), and no_proxy does not cover ${list(exposed)}`,
          hint: `Add ${exposed.join(',')} to no_proxy in /etc/environment and in systemd's DefaultEnvironment.`,
        }),
      ];
    }),
};

/** As Go reads no_proxy: addresses, networks, names; a network is covered by one that holds it. */
function covers(exception: string, target: string): boolean {
  if (exception === target) return true;
  const network = parseNetwork(exception);
  if (network === undefined) return false;
  if (isIPv4(target)) return contains(exception, target);
  const inner = parseNetwork(target);
  return inner !== undefined && overlaps(exception, target) && network.prefix <= inner.prefix;
}
