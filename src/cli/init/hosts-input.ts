import { isIPv4 } from '../../config/addresses.ts';
import { sshAddress, userName } from '../../config/fields.ts';
import { nodeNameComplaint } from '../../config/syntax.ts';

/** A host as a person typed it. */
export interface HostEntry {
  address: string;
  name?: string | undefined;
  user?: string | undefined;
  port?: number | undefined;
}

export interface HostList {
  hosts: readonly HostEntry[];
  /** What could not be understood, as sentences; empty when everything was. */
  problems: readonly string[];
}

/** More than this is more likely a slip of the finger than a cluster. */
const MOST = 1000;

/**
 * Reads a list of hosts, separated by spaces or commas: each `[name=][user@]address[:port]`, where the name and the address may hold ranges in
 * brackets, such as `10.0.0.[11-14]`, `node-[01-03].example.com` or `n[1,3,5-7]`, and an IPv4 address may end in one: `10.0.0.11-14`.
 */
export function parseHostList(text: string): HostList {
  const hosts: HostEntry[] = [];
  const problems: string[] = [];
  for (const word of words(text)) {
    const entries = readWord(word);
    if (typeof entries === 'string') problems.push(entries);
    else hosts.push(...entries);
  }
  const seen = new Set<string>();
  for (const { address, port } of hosts) {
    const key = `${address.toLowerCase()}:${port ?? ''}`;
    if (seen.has(key)) problems.push(`${address} is there twice`);
    seen.add(key);
  }
  if (hosts.length > MOST) problems.push(`these are ${hosts.length} hosts; at most ${MOST} can be given at once`);
  return { hosts, problems: [...new Set(problems)] };
}

/** Commas inside of brackets belong to the range. */
function words(text: string): string[] {
  return text
    .replaceAll(/\[[^\][]*\]/g, (range) => range.replaceAll(/\s/g, '').replaceAll(',', '\0'))
    .split(/[\s,;]+/)
    .filter((word) => word !== '')
    .map((word) => word.replaceAll('\0', ','));
}

function readWord(word: string): HostEntry[] | string {
  const [, name, user, place, portText] = /^(?:([^=@]+)=)?(?:([^@]+)@)?(.*:.*:.*|.+?)(?::(\d+))?$/.exec(word) ?? [];
  if (place === undefined) return `${word} is not a host`;
  const port = portText === undefined ? undefined : Number(portText);
  if (port !== undefined && (port < 1 || port > 65_535)) return `${word} has a port that does not exist`;
  if (user !== undefined && !userName.safeParse(user).success) return `${word} has a user name that cannot be one`;
  const addresses = expand(lastOctets(place));
  const names = name === undefined ? undefined : expand(name);
  if (addresses === undefined || (name !== undefined && names === undefined))
    return `${word} has a range that cannot be read; write it as in 10.0.0.[11-14]`;
  if (names !== undefined && names.length !== addresses.length)
    return `${word} has ${names.length} names for ${addresses.length} addresses`;
  for (const address of addresses) {
    const checked = sshAddress.safeParse(address);
    if (!checked.success) return `${address} ${checked.error.issues[0]!.message}`;
  }
  for (const one of names ?? []) {
    const complaint = nodeNameComplaint(one);
    if (complaint !== undefined) return `the name ${one} ${complaint}`;
  }
  return addresses.map((address, i) => ({
    address,
    ...(names !== undefined && { name: names[i] }),
    ...(user !== undefined && { user }),
    ...(port !== undefined && { port }),
  }));
}

/** `10.0.0.11-14` is meant as `10.0.0.[11-14]`; only for addresses, as names have dashes of their own. */
function lastOctets(place: string): string {
  const [, start, from, to] = /^(\d+\.\d+\.\d+\.)(\d+)-(\d+)$/.exec(place) ?? [];
  return start !== undefined && isIPv4(`${start}${from}`) ? `${start}[${from}-${to}]` : place;
}

/** Every text that the brackets stand for; undefined when they cannot be read. */
function expand(text: string): string[] | undefined {
  const match = /^([^[\]]*)\[([^[\]]+)\](.*)$/.exec(text);
  if (match === null) return /[[\]]/.test(text) ? undefined : [text];
  const [, before, ranges, after] = match;
  const rest = expand(after!);
  const numbers: string[] = [];
  for (const range of ranges!.split(',')) {
    const bounds = /^(\d+)(?:-(\d+))?$/.exec(range);
    if (bounds === null) return undefined;
    const from = Number(bounds[1]);
    const to = Number(bounds[2] ?? bounds[1]);
    if (to < from || to - from >= MOST) return undefined;
    // [01-12] counts with the zeros.
    const width = bounds[1]!.startsWith('0') ? bounds[1]!.length : 0;
    for (let n = from; n <= to; n++) numbers.push(String(n).padStart(width, '0'));
  }
  return rest === undefined || numbers.length * rest.length > MOST
    ? undefined
    : numbers.flatMap((n) => rest.map((end) => `${before}${n}${end}`));
}
