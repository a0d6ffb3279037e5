import { contains, isIPv4, networkOf, overlaps, parseNetwork, rangeOf } from '../../config/addresses.ts';
import type { Facts } from '../../facts/facts.ts';

/** An address of a host in a network. */
export interface Place {
  address: string;
  interface: string;
}

/** Bridges and tunnels of virtual machines, containers and other clusters. */
const VIRTUAL = /^(lo|docker|br-|veth|virbr|cni|flannel|cali|cilium|kube|tunl|vxlan|podman|lxc|lxd)/;

/** The IPv4 networks that a host is in, other than virtual ones. */
export function networksOf(facts: Facts): { cidr: string; place: Place }[] {
  return facts.interfaces
    .filter(({ name, up }) => up && !VIRTUAL.test(name))
    .flatMap(({ name, addresses }) =>
      addresses
        .filter(({ address }) => isIPv4(address) && !['loopback', 'linkLocal'].includes(rangeOf(address)))
        .map(({ address, prefix }) => ({ cidr: networkOf(`${address}/${prefix}`), place: { address, interface: name } })),
    );
}

export interface SharedNetwork {
  cidr: string;
  /** By host, in the order given. */
  places: readonly Place[];
}

/** The networks that all hosts are in, each with an address of its own. */
export function sharedNetworks(all: readonly Facts[]): SharedNetwork[] {
  const [first, ...others] = all.map(networksOf);
  if (first === undefined) return [];
  return first.flatMap(({ cidr, place }) => {
    const places = [place, ...others.map((networks) => networks.find((network) => network.cidr === cidr)?.place)];
    if (places.some((one) => one === undefined)) return [];
    const complete = places as Place[];
    return new Set(complete.map(({ address }) => address)).size === complete.length && parseNetwork(cidr)!.prefix < 32
      ? [{ cidr, places: complete }]
      : [];
  });
}

/** The address of a host in a network that a person named. */
export function placeIn(facts: Facts, cidr: string): Place | undefined {
  return networksOf(facts).find(({ place }) => contains(cidr, place.address))?.place;
}

/** Whether the host has the address on one of its interfaces; names count as present. */
export function hasAddress(facts: Facts, address: string): boolean {
  return !isIPv4(address) || facts.interfaces.some(({ addresses }) => addresses.some((one) => one.address === address));
}

/** Whether packets to the address may cross the internet. */
export function isPublic(address: string): boolean {
  return isIPv4(address) && !['private', 'carrierGradeNat', 'loopback', 'linkLocal'].includes(rangeOf(address));
}

const POD_NETWORKS = ['10.244.0.0/16', '10.42.0.0/16', '172.24.0.0/16', '192.168.128.0/17'];
const LARGE_POD_NETWORKS = ['10.128.0.0/10', '172.16.0.0/12', '10.0.0.0/10'];
const SERVICE_NETWORKS = ['10.96.0.0/16', '10.43.0.0/16', '172.31.0.0/16', '192.168.64.0/18'];

export interface ClusterNetworks {
  podCidr: string;
  serviceCidr: string;
}

/** Pod and service networks that overlap nothing that the hosts have a route to, with room for twice the hosts; the defaults when they fit. */
export function chooseNetworks(all: readonly Facts[], hosts: number): ClusterNetworks {
  const taken = [
    ...all.flatMap((facts) => networksOf(facts).map(({ cidr }) => cidr)),
    // What an earlier cluster left behind goes with it.
    ...all.flatMap(({ routes }) =>
      routes
        .filter(({ device }) => !/^(cni|flannel)/.test(device))
        .map(({ destination }) => (isIPv4(destination) ? `${destination}/32` : destination)),
    ),
  ].filter((cidr) => (parseNetwork(cidr)?.prefix ?? 0) > 0);
  const isFree = (cidr: string): boolean => !taken.some((other) => overlaps(cidr, other));
  const roomy = (cidr: string): boolean => 2 ** (24 - parseNetwork(cidr)!.prefix) >= hosts * 2;
  const podCidr = [...POD_NETWORKS, ...LARGE_POD_NETWORKS].find((cidr) => roomy(cidr) && isFree(cidr)) ?? POD_NETWORKS[0]!;
  const serviceCidr = SERVICE_NETWORKS.find((cidr) => isFree(cidr) && !overlaps(cidr, podCidr)) ?? SERVICE_NETWORKS[0]!;
  return { podCidr, serviceCidr };
}
