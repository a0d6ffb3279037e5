import { contains, has, isIPv4, networkOf, parseAddress, parseNetwork, rangeOf } from '../config/addresses.ts';
import type { Cluster, Host } from '../config/cluster.ts';
import { nodeNameComplaint } from '../config/syntax.ts';
import type { Facts } from '../facts/facts.ts';

export interface Normalised {
  /** Hosts have their final name, a private address and an interface, as far as facts tell. */
  cluster: Cluster;
  /** By final name. */
  facts: Readonly<Record<string, Facts>>;
  /** Networks that hosts report and nodeCidrs does not have: only the addresses of these hosts are in it. */
  unadmitted: readonly Unadmitted[];
}

export interface Unadmitted {
  host: string;
  network: string;
}

/**
 * Fills in what the cluster file leaves to the hosts: names, private addresses and flannel's interfaces. `facts` are keyed by the hosts' names as
 * loaded; hosts without facts keep what the file says. Nothing is judged here: that is for the preflight checks. But what hosts say of themselves
 * is written to all others, so nothing is taken from them that the file could not say.
 */
export function normalise(cluster: Cluster, facts: Readonly<Record<string, Facts>>): Normalised {
  const names = normaliseNames(cluster.hosts, facts);
  const addressed = cluster.hosts.map((host) => {
    const privateAddress = host.privateAddress ?? privateAddressOf(host, facts[host.name]);
    return { ...host, name: names.get(host.name)!, ...(privateAddress === undefined ? {} : { privateAddress }) };
  });
  const places = addressed.flatMap(({ name, privateAddress: address }) =>
    address === undefined ? [] : [{ name, address, number: parseAddress(address) }],
  );
  const settled = Object.fromEntries(
    cluster.hosts.flatMap(({ name }) => (facts[name] === undefined ? [] : [[names.get(name)!, facts[name]]])),
  );
  const hosts = addressed.map((host) => {
    const own = settled[host.name];
    const device = host.interface ?? (own === undefined ? undefined : interfaceOf(host, { facts: own, places }));
    return { ...host, ...(device === undefined ? {} : { interface: device }) };
  });
  const derived = cluster.network.nodeCidrs.length > 0 ? undefined : networksOf(hosts, settled);
  const nodeCidrs = derived?.nodeCidrs ?? cluster.network.nodeCidrs;
  return {
    cluster: { ...cluster, hosts, network: { ...cluster.network, nodeCidrs } },
    facts: settled,
    unadmitted: derived?.unadmitted ?? [],
  };
}

/** RFC 1918, and RFC 6598, which providers use inside as well. */
const PRIVATE = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10'];
/** No provider's subnet is wider, and it keeps a host that claims more from opening more than its surroundings. */
const WIDEST = 16;

/**
 * Where the nodes live: the networks of their private addresses. Whoever is in them is admitted to etcd and the API by every host's firewall, and
 * it is the hosts that tell: so only a network that is private counts, and no host's claim counts for more than a /16. Otherwise, and where a host
 * was not asked, its address alone counts.
 */
function networksOf(
  hosts: readonly Host[],
  facts: Readonly<Record<string, Facts>>,
): { nodeCidrs: string[]; unadmitted: readonly Unadmitted[] } {
  const told = hosts.flatMap(({ name, privateAddress: own }) => {
    const addresses = facts[name]?.interfaces.flatMap((device) => device.addresses) ?? [];
    const prefix = own && isIPv4(own) ? addresses.find(({ address }) => address === own)?.prefix : undefined;
    return prefix === undefined || prefix > 32 ? [] : [{ host: name, network: networkOf(`${own}/${prefix}`), own: own!, prefix }];
  });
  const networks = new Set(
    told.flatMap(({ network, own, prefix }) =>
      prefix === 32 || (prefix >= WIDEST && PRIVATE.some((cidr) => contains(cidr, own))) ? [network] : [],
    ),
  );
  const wide = [...networks].flatMap((cidr) => parseNetwork(cidr) ?? []).filter(({ prefix }) => prefix < 32);
  const admitted = (own: string): boolean => networks.has(`${own}/32`) || wide.some((network) => has(network, parseAddress(own)));
  const alone = new Set(hosts.flatMap(({ privateAddress: own }) => (own && isIPv4(own) && !admitted(own) ? [`${own}/32`] : [])));
  return {
    nodeCidrs: [...networks, ...alone].sort(),
    unadmitted: told
      .filter(({ network, own }) => !networks.has(network) && alone.has(`${own}/32`))
      .map(({ host, network }) => ({ host, network })),
  };
}

/**
 * A host that was installed stays what it was, whatever its hostname is since. A name that is taken already, or cannot be a node's, leaves the host under the
 * name it was loaded with, for the check that reports it.
 */
function normaliseNames(hosts: readonly Host[], facts: Readonly<Record<string, Facts>>): Map<string, string> {
  const taken = new Set(hosts.filter(({ named }) => named).map(({ name }) => name));
  return new Map(
    hosts.map(({ name, named }) => {
      const own = facts[name]?.cluster?.host ?? facts[name]?.hostname.toLowerCase() ?? '';
      const settled = named || taken.has(own) || nodeNameComplaint(own) !== undefined ? name : own;
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
  if (way?.source !== undefined && canBeANodes(way.source)) return way.source;
  const usable = ({ addresses }: Facts['interfaces'][number]): string | undefined =>
    addresses.find((one) => canBeANodes(one.address))?.address;
  const first = facts.interfaces.find(({ name }) => name === way?.device);
  return (
    (first === undefined ? undefined : usable(first)) ??
    facts.interfaces
      .filter(({ up }) => up)
      .map(usable)
      .find((found) => found !== undefined)
  );
}

/** As the file's privateAddress; what is given by nobody (link-local) is left out too. */
function canBeANodes(address: string): boolean {
  return isIPv4(address) && !['loopback', 'unspecified', 'multicast', 'broadcast', 'linkLocal'].includes(rangeOf(address));
}

/** Where a host is reached by the others; no number for what is no IPv4 address. */
interface Place {
  name: string;
  address: string;
  number: number | undefined;
}

/**
 * The interface by which most of the other nodes are reached; on a draw the one with the private address. A host without others, or whose
 * others are out of reach, uses the one with the private address.
 */
function interfaceOf(host: Host, { facts, places }: { facts: Facts; places: readonly Place[] }): string | undefined {
  const own = facts.interfaces.find(({ addresses }) => addresses.some(({ address }) => address === host.privateAddress))?.name;
  const votes = new Map<string, number>();
  const way = ways(facts.routes);
  for (const { name, address, number } of places) {
    if (name === host.name) continue;
    const device = facts.routesTo[address]?.device ?? way(number);
    if (device !== undefined && device !== '' && device !== 'lo') votes.set(device, (votes.get(device) ?? 0) + 1);
  }
  const most = Math.max(0, ...votes.values());
  const best = [...votes].filter(([, count]) => count === most).map(([device]) => device);
  return own !== undefined && (best.length === 0 || best.includes(own)) ? own : best[0];
}

/** What the kernel would do, for an address that it was not asked about: the longest prefix wins. */
function ways(routes: Facts['routes']): (address: number | undefined) => string | undefined {
  const known = routes
    .flatMap(({ destination, device }) => {
      const network = destination === 'default' ? undefined : parseNetwork(destination);
      return network === undefined && destination !== 'default' ? [] : [{ network, device }];
    })
    .sort((a, b) => (b.network?.prefix ?? -1) - (a.network?.prefix ?? -1));
  return (address) => known.find(({ network }) => network === undefined || has(network, address))?.device;
}
