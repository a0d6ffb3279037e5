import ipaddr from 'ipaddr.js';

/** Whether the text is an IPv4 address in the usual four decimal parts. */
export function isIPv4(text: string): boolean {
  return ipaddr.IPv4.isValidFourPartDecimal(text);
}

/** Whether the text is an IPv6 address, with or without a zone. */
export function isIPv6(text: string): boolean {
  return ipaddr.IPv6.isValid(text);
}

export interface Network {
  /** The lowest address, as a number from 0 to 2^32 - 1. */
  first: number;
  /** The highest address. */
  last: number;
  /** From 0 to 32. */
  prefix: number;
}

/** Reads an IPv4 network such as `10.244.0.0/16`; bits behind the prefix are dropped. Returns undefined when it is none. */
export function parseNetwork(cidr: string): Network | undefined {
  const [address, prefixText, ...rest] = cidr.split('/');
  if (address === undefined || prefixText === undefined || rest.length > 0 || !isIPv4(address) || !/^(\d|[12]\d|3[0-2])$/.test(prefixText))
    return undefined;
  const prefix = Number(prefixText);
  const size = 2 ** (32 - prefix);
  const first = Math.floor(toNumber(address) / size) * size;
  return { first, last: first + size - 1, prefix };
}

/** The network's own spelling: `10.244.1.7/16` gives `10.244.0.0/16`. Throws a RangeError when it is no IPv4 network. */
export function networkOf(cidr: string): string {
  const network = need(cidr);
  return `${toText(network.first)}/${network.prefix}`;
}

/**
 * The n-th address of a network, counted from its lowest: `nthAddress('10.96.0.0/16', 1)` is `10.96.0.1`; a negative n counts from the end
 * (-1 is the highest). Throws a RangeError when it is no IPv4 network or n lies outside of it.
 */
export function nthAddress(cidr: string, n: number): string {
  const network = need(cidr);
  const address = n < 0 ? network.last + 1 + n : network.first + n;
  if (!Number.isInteger(n) || address < network.first || address > network.last) throw new RangeError(`${cidr} has no address number ${n}`);
  return toText(address);
}

/** Whether the IPv4 address lies in the network; false for names and IPv6 addresses. Throws a RangeError when `cidr` is no IPv4 network. */
export function contains(cidr: string, address: string): boolean {
  return has(need(cidr), parseAddress(address));
}

/** The same for what many are compared with, and so is parsed once. */
export function has({ first, last }: Network, address: number | undefined): boolean {
  return address !== undefined && address >= first && address <= last;
}

/** An IPv4 address as a number from 0 to 2^32 - 1; undefined for names and IPv6 addresses. */
export function parseAddress(address: string): number | undefined {
  return isIPv4(address) ? toNumber(address) : undefined;
}

/** Whether two networks share an address. Throws a RangeError when one is no IPv4 network. */
export function overlaps(a: string, b: string): boolean {
  const x = need(a);
  const y = need(b);
  return x.first <= y.last && y.first <= x.last;
}

/** What ipaddr.js calls the address: `unicast`, `private`, `loopback`, `linkLocal`, `multicast`, ... Throws when it is no IP address. */
export function rangeOf(address: string): string {
  return ipaddr.parse(address).range();
}

function need(cidr: string): Network {
  const network = parseNetwork(cidr);
  if (network === undefined) throw new RangeError(`not an IPv4 network: ${cidr}`);
  return network;
}

function toNumber(address: string): number {
  return ipaddr.IPv4.parse(address).octets.reduce((n, octet) => n * 256 + octet, 0);
}

function toText(n: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(n / 2 ** shift) % 256).join('.');
}
