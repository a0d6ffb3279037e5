import { contains, isIPv4, networkOf } from '../../config/addresses.ts';
import type { Host } from '../../config/cluster.ts';
import type { Facts } from '../../facts/facts.ts';
import { finding, list, perHost, type PreflightCheck, type PreflightContext, type PreflightFinding } from './preflight.ts';

/** The private address drives the node's address, etcd's and the API's URLs, and flannel alike: it must be the host's own, and lead to the others. */
export const nodeNetwork: PreflightCheck = {
  id: 'node-network',
  title: 'Every private address exists, and leads to the others',
  run: (context) =>
    perHost(context, (host, facts) => {
      const wrong = own(host, facts);
      return wrong === undefined ? [device(host, facts), ...ways(context, host, facts)] : [wrong];
    }),
};

function own({ name, privateAddress }: Host, facts: Facts): PreflightFinding | undefined {
  const present = facts.interfaces
    .filter(({ name: device }) => device !== 'lo')
    .flatMap(({ addresses }) => addresses.map(({ address }) => address));
  const usable = present.filter((address) => isIPv4(address) && !address.startsWith('169.254.'));
  const hint =
    usable.length === 0 ? 'Give the host an IPv4 address.' : `Set privateAddress in the cluster file to one of its own: ${list(usable)}.`;
  if (privateAddress === undefined) return finding('error', name, { what: 'it has no IPv4 address that the other nodes could use', hint });
  if (!isIPv4(privateAddress))
    return finding('error', name, {
      what: `its private address ${privateAddress} is no IPv4 address; IPv6 clusters are not supported yet`,
      hint,
    });
  if (present.includes(privateAddress)) return undefined;
  return finding('error', name, {
    what: `its private address ${privateAddress} is on none of its interfaces (it may be translated on the way)`,
    hint,
  });
}

function device(host: Host, facts: Facts): PreflightFinding | undefined {
  if (host.interface === undefined) return undefined;
  const device = facts.interfaces.find(({ name }) => name === host.interface);
  const others = list(facts.interfaces.filter(({ name, up }) => name !== 'lo' && up).map(({ name }) => name));
  if (device === undefined)
    return finding('error', host.name, {
      what: `it has no interface ${host.interface}`,
      hint: `Set interface in the cluster file to one of: ${others}; or leave it out.`,
    });
  if (!device.up)
    return finding('error', host.name, {
      what: `its interface ${host.interface} is down`,
      hint: `Run ip link set ${host.interface} up, or set interface in the cluster file to one of: ${others}.`,
    });
  return undefined;
}

function ways({ cluster }: PreflightContext, host: Host, facts: Facts): PreflightFinding[] {
  const peers = cluster.hosts.filter(({ name, privateAddress }) => name !== host.name && privateAddress !== undefined);
  const asked = peers.filter(({ privateAddress }) => privateAddress! in facts.routesTo);
  const lost = asked.filter(({ privateAddress }) => facts.routesTo[privateAddress!] === undefined);
  const other = asked.filter(({ privateAddress }) => {
    const way = facts.routesTo[privateAddress!];
    return way !== undefined && way.device !== 'lo' && way.source !== host.privateAddress;
  });
  const answers: PreflightFinding[] = [];
  if (lost.length > 0)
    answers.push(
      finding('error', host.name, {
        what: `it has no route to ${list(lost.map(({ name, privateAddress }) => `${name} (${privateAddress!})`))}`,
        hint: 'Add a route, or set privateAddress in the cluster file to addresses in a network that the hosts share.',
      }),
    );
  if (other.length > 0) {
    const { source, device } = facts.routesTo[other[0]!.privateAddress!]!;
    answers.push(
      finding('warning', host.name, {
        what: `packets to ${list(other.map(({ name }) => name))} leave from ${source} (${device}), not from its private address ${host.privateAddress!}`,
        hint: `Set privateAddress to ${source} in the cluster file, or the other hosts' private addresses to the network of ${host.privateAddress!}.`,
      }),
    );
  }
  if (cluster.network.flannel.backend === 'host-gw') {
    const networks = facts.interfaces.flatMap(({ addresses }) =>
      addresses.filter(({ address }) => isIPv4(address)).map(({ address, prefix }) => networkOf(`${address}/${prefix}`)),
    );
    const far = peers.filter(
      ({ privateAddress }) => isIPv4(privateAddress!) && !networks.some((network) => contains(network, privateAddress!)),
    );
    if (far.length > 0)
      answers.push(
        finding('error', host.name, {
          what: `${list(far.map(({ name }) => name))} ${far.length === 1 ? 'is' : 'are'} not in one network with it (network.flannel.backend: host-gw)`,
          hint: 'host-gw needs all nodes in one layer 2 network: choose backend: vxlan.',
        }),
      );
  }
  return answers;
}
