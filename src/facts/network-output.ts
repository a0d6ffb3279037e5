import type { Facts } from './facts.ts';
import * as values from './values.ts';

type Addresses = ReadonlyMap<string, readonly { address: string; prefix: number }[]>;

/** `ip -o addr show`: one line for each address. */
export function readAddresses(lines: readonly string[]): Addresses {
  const found = new Map<string, { address: string; prefix: number }[]>();
  for (const line of lines) {
    const [, device, address, prefix] = /^\d+: (\S+)\s+inet6? ([\da-f.:]+)(?: peer [\da-f.:]+)?\/(\d+)/.exec(line) ?? [];
    const longest = address?.includes(':') ? 128 : 32;
    if (values.address(address) === undefined || Number(prefix) > longest) continue;
    found.set(device!, [...(found.get(device!) ?? []), { address: address!, prefix: Number(prefix) }]);
  }
  return found;
}

/** `ip -o link show`. */
export function readLinks(lines: readonly string[], addresses: Addresses): Facts['interfaces'] {
  return lines.flatMap((line) => {
    const [, name, flags, mtu] = /^\d+: ([^:@]+)(?:@[^:]+)?: <([^>]*)>.* mtu (\d+)/.exec(line) ?? [];
    if (!values.isInterfaceName(name)) return [];
    const mac = /link\/\S+ ((?:[\da-f]{2}:){5}[\da-f]{2})/.exec(line)?.[1] ?? '';
    return [{ name, mac, mtu: values.wholeNumber(mtu), up: flags!.split(',').includes('UP'), addresses: addresses.get(name) ?? [] }];
  });
}

/** `ip -4 route show`; of several next hops the first counts. */
export function readRoutes(lines: readonly string[]): Facts['routes'] {
  const routes: { destination: string; via: string | undefined; device: string; source: string | undefined }[] = [];
  for (const line of lines) {
    const [, type, destination] = /^(?:(unicast|unreachable|blackhole|prohibit|throw|local|nat) )?(default|[\d./]+)/.exec(line) ?? [];
    if (destination !== undefined) {
      if (!values.isDestination(whole(destination))) continue;
      const device = type === undefined || type === 'unicast' ? deviceOf(line) : undefined;
      routes.push({ destination: whole(destination), via: gatewayOf(line), device: device ?? '', source: sourceOf(line) });
      continue;
    }
    const last = routes.at(-1);
    if (last?.device === '' && last.via === undefined && line.trimStart().startsWith('nexthop'))
      routes[routes.length - 1] = { ...last, via: gatewayOf(line), device: deviceOf(line) ?? '' };
  }
  return routes;
}

/** One answer of `ip route get`; undefined when there is no way. */
export function readRoute(line: string): { device: string; source: string } | undefined {
  const [device, source] = [deviceOf(line), sourceOf(line)];
  if (/^(unreachable|blackhole|prohibit)/.test(line) || device === undefined || source === undefined) return undefined;
  return { device, source };
}

/** `ss -lntup`, or where ss is missing the lines of /proc/net/{tcp,udp}, each behind the file's name. */
export function readSockets(lines: readonly string[]): Facts['listening'] {
  return lines.flatMap((line) => {
    const words = line.split(/\s+/);
    const protocol = words[0]!.startsWith('tcp') ? 'tcp' : words[0]!.startsWith('udp') ? 'udp' : undefined;
    if (protocol === undefined) return [];
    if (/^\d+:$/.test(words[1] ?? '')) return readProcSocket(protocol, words);
    const [, address, port] = /^(.*):(\d+)$/.exec(words[4] ?? '') ?? [];
    if (address === undefined) return [];
    return [
      {
        protocol,
        address: everywhere(address.replace(/^\[(.*)\]/, '$1').replace(/%.*$/, '')),
        port: Number(port),
        process: /users:\(\("([^"]*)"/.exec(line)?.[1] ?? '',
      },
    ];
  });
}

/** Base chains of `nft list chains`, and the `-P` lines of `iptables -S`. */
export function readChains(lines: readonly string[]): {
  forwardPolicy: 'ACCEPT' | 'DROP' | undefined;
  drop: NonNullable<Facts['firewall']['dropChains']>;
} {
  const drop: { family: string; table: string; chain: string; hook: 'input' | 'forward' }[] = [];
  let forwardPolicy: 'ACCEPT' | 'DROP' | undefined;
  let [family, table, chain] = ['', '', ''];
  const see = (hook: string, policy: string): void => {
    if (family === 'ip' && table === 'filter' && chain === 'FORWARD')
      forwardPolicy = policy === 'drop' || forwardPolicy === 'DROP' ? 'DROP' : 'ACCEPT';
    if (policy === 'drop' && (hook === 'input' || hook === 'forward') && ['ip', 'inet'].includes(family))
      drop.push({ family, table, chain, hook });
  };
  for (const line of lines) {
    const [, tableFamily, tableName] = /^table (\S+) (\S+) \{/.exec(line) ?? [];
    const [, chainName] = /^\s+chain (\S+) \{/.exec(line) ?? [];
    const [, hook, policy] = /^\s+type filter hook (\w+) .*; policy (\w+);/.exec(line) ?? [];
    const [, builtin, target] = /^-P (FORWARD|INPUT) (\w+)$/.exec(line) ?? [];
    if (tableFamily !== undefined) [family, table] = [tableFamily, tableName!];
    else if (chainName !== undefined) chain = chainName;
    else if (hook !== undefined) see(hook, policy!);
    else if (builtin !== undefined) {
      [family, table, chain] = ['ip', 'filter', builtin];
      see(builtin.toLowerCase(), target!.toLowerCase());
    }
  }
  return { forwardPolicy, drop };
}

function deviceOf(line: string): string | undefined {
  const device = after(line, 'dev');
  return values.isInterfaceName(device) ? device : undefined;
}

const sourceOf = (line: string): string | undefined => values.address(after(line, 'src'));

/** Of an IPv4 route: `via inet6 ADDRESS` is possible. */
function gatewayOf(line: string): string | undefined {
  return values.address(after(line, 'via')) ?? values.address(after(line, 'inet6'));
}

function after(line: string, word: string): string | undefined {
  const words = line.trim().split(/\s+/);
  const at = words.indexOf(word);
  return at < 0 ? undefined : words[at + 1];
}

function whole(destination: string): string {
  return destination === 'default' || destination.includes('/') ? destination : `${destination}/32`;
}

function everywhere(address: string): string {
  return ['0.0.0.0', '::', '*', ''].includes(address) ? '*' : address;
}

/** proc_net_tcp: `sl local_address rem_address st ...`; state 0A listens, an unconnected UDP socket is 07. Words are little-endian. */
function readProcSocket(protocol: 'tcp' | 'udp', words: readonly string[]): Facts['listening'] {
  const [, , local, , state] = words;
  const [address, port] = (local ?? '').split(':');
  if (port === undefined || state !== (protocol === 'tcp' ? '0A' : '07')) return [];
  const four =
    address!.length === 8
      ? address!
          .match(/../g)!
          .reverse()
          .map((hex) => Number.parseInt(hex, 16))
          .join('.')
      : '*';
  const text = address!.length === 32 && !/^0+$/.test(address!) ? '::' + address!.toLowerCase() : four;
  return [{ protocol, address: everywhere(text), port: Number.parseInt(port, 16), process: '' }];
}
