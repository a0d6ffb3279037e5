import { contains, isIPv4, networkOf, parseNetwork } from '../config/addresses.ts';
import type { Cluster, Host } from '../config/cluster.ts';
import type { Facts } from '../facts/facts.ts';

export interface Settled {
  /** Hosts have their final name, a private address and an interface, as far as facts tell. */
  cluster: Cluster;
  /** By final name. */
  facts: Readonly<Record<string, Facts>>;
}

/**
 * Fills in what the cluster file leaves to the hosts: names, private addresses and flannel's interfaces. `facts` are keyed by the hosts' names as
 * loaded; hosts without facts keep what the file says. Nothing is judged here: that is for the preflight checks.
 */
export function settle(cluster: Cluster, facts: Readonly<Record<string, Facts>>): Settled {
  const names = settleNames(cluster.hosts, facts);
  const addressed = cluster.hosts.map((host) => {
    const privateAddress = host.privateAddress ?? privateAddressOf(host, facts[host.name]);
    return { ...host, name: names.get(host.name)!, ...(privateAddress === undefined ? {} : { privateAddress }) };
  });
  const settled = Object.fromEntries(
    cluster.hosts.flatMap(({ name }) => (facts[name] === undefined ? [] : [[names.get(name)!, facts[name]]])),
  );
  const hosts = addressed.map((host) => {
    const own = settled[host.name];
    const device = host.interface ?? (own === undefined ? undefined : interfaceOf(host, { facts: own, hosts: addressed }));
    return { ...host, ...(device === undefined ? {} : { interface: device }) };
  });
  const nodeCidrs = cluster.network.nodeCidrs.length > 0 ? cluster.network.nodeCidrs : networksOf(hosts, settled);
  return { cluster: { ...cluster, hosts, network: { ...cluster.network, nodeCidrs } }, facts: settled };
}

/** Where the nodes live: the networks of their private addresses; a host that was not asked counts by its address alone. */
function networksOf(hosts: readonly Host[], facts: Readonly<Record<string, Facts>>): string[] {
  const known = Object.values(facts).flatMap(({ interfaces }) =>
    interfaces.flatMap(({ addresses }) => addresses.filter(({ address }) => isIPv4(address))),
  );
  const prefixes = new Map(known.map(({ address, prefix }) => [address, prefix]));
  const networks = hosts.flatMap(({ privateAddress: own }) => (own && prefixes.has(own) ? [networkOf(`${own}/${prefixes.get(own)}`)] : []));
  const alone = hosts.flatMap(({ privateAddress: own }) =>
    own && isIPv4(own) && !networks.some((cidr) => contains(cidr, own)) ? [`${own}/32`] : [],
  );
  return [...new Set([...networks, ...alone])].sort();
}

/** A hostname that is taken already leaves the host under the name it was loaded with, for the check that reports it. */
function settleNames(hosts: readonly Host[], facts: Readonly<Record<string, Facts>>): Map<string, string> {
  const taken = new Set(hosts.filter(({ named }) => named).map(({ name }) => name));
  return new Map(
    hosts.map(({ name, named }) => {
      const hostname = facts[name]?.hostname.toLowerCase() ?? '';
      const settled = named || hostname === '' || taken.has(hostname) ? name : hostname;
      taken.add(settled);
      return [name, settled];
    }),
  );
}

function privateAddressOf({ address }: Host, facts: Facts | undefined): string | undefined {
  // Somebody who names this very machine 127.0.0.1 means the machine, not an address for the others.
  if (isIPv4(address) && !address.startsWith('127.')) return address;
  if (facts === undefined) return undefined;
  const way = facts.routes.find(({ destination }) => destination === 'default');
  if (way?.source !== undefined) return way.source;
  const usable = ({ addresses }: Facts['interfaces'][number]): string | undefined =>
    addresses.find((one) => isIPv4(one.address) && !one.address.startsWith('127.') && !one.address.startsWith('169.254.'))?.address;
  const first = facts.interfaces.find(({ name }) => name === way?.device);
  return (
    (first === undefined ? undefined : usable(first)) ??
    facts.interfaces
      .filter(({ up }) => up)
      .map(usable)
      .find((found) => found !== undefined)
  );
}

/**
 * The interface by which most of the other nodes are reached; on a draw the one with the private address. A host without others, or whose
 * others are out of reach, uses the one with the private address.
 */
function interfaceOf(host: Host, { facts, hosts }: { facts: Facts; hosts: readonly Host[] }): string | undefined {
  const own = facts.interfaces.find(({ addresses }) => addresses.some(({ address }) => address === host.privateAddress))?.name;
  const votes = new Map<string, number>();
  for (const { name, privateAddress } of hosts) {
    if (name === host.name || privateAddress === undefined) continue;
    const device = facts.routesTo[privateAddress]?.device ?? routeTo(privateAddress, facts.routes);
    if (device !== undefined && device !== '' && device !== 'lo') votes.set(device, (votes.get(device) ?? 0) + 1);
  }
  const most = Math.max(0, ...votes.values());
  const best = [...votes].filter(([, count]) => count === most).map(([device]) => device);
  return own !== undefined && (best.length === 0 || best.includes(own)) ? own : best[0];
}

/** What the kernel would do, for an address that it was not asked about (a host known by its DNS name): the longest prefix wins. */
function routeTo(address: string, routes: Facts['routes']): string | undefined {
  const fitting = routes.filter(
    ({ destination }) => destination === 'default' || (parseNetwork(destination) !== undefined && contains(destination, address)),
  );
  const prefix = ({ destination }: Facts['routes'][number]): number => parseNetwork(destination)?.prefix ?? -1;
  return fitting.sort((a, b) => prefix(b) - prefix(a))[0]?.device;
}
