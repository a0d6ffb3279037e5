import { readFile, writeFile } from 'node:fs/promises';
import ipaddr from 'ipaddr.js';
import { SlipwayError } from '../base/errors.ts';
import { attempt, run } from './command.ts';
import { hostLink } from './layout.ts';
import type { LabHostRecord, LabRecord } from './record.ts';

/** Second numbers of the 10.x networks that labs take: clear of the usual pod and Service networks. */
const seconds = Array.from({ length: 32 }, (_, i) => 64 + ((i + 22) % 32));

/**
 * A number that no other lab has, and the first 10.x.NUMBER network, without its last number, that no route of this machine leads to.
 * Routes to 10.0.0.0/8 or most of it (a company's VPN) do not count: a lab's own, more specific route wins. LAB_NO_NETWORK when all are in use.
 */
export function freeNetwork(routes: string, taken: readonly number[]): { number: number; prefix: string } {
  const networks = networksOf(routes);
  for (let number = 1; number < 255; number += 1) {
    if (taken.includes(number)) continue;
    const prefix = seconds.map((second) => `10.${String(second)}.${String(number)}`).find((each) => !meets(networks, each));
    if (prefix !== undefined) return { number, prefix };
  }
  throw new SlipwayError('every network of the lab is in use', {
    code: 'LAB_NO_NETWORK',
    category: 'refused',
    hint: 'Take a lab down: `slipway lab status` lists them.',
  });
}

/** Whether no route of the machine leads to this /24, given without its last number. */
export function isFree(routes: string, prefix: string): boolean {
  return !meets(networksOf(routes), prefix);
}

type Network = [address: ipaddr.IPv4, bits: number];

function networksOf(routes: string): Network[] {
  return [...routes.matchAll(/\b10(?:\.\d+){1,3}(?:\/\d+)?(?=\s)/g)].map(([text]) => parseNetwork(text)).filter(([, bits]) => bits >= 12);
}

function meets(networks: readonly Network[], prefix: string): boolean {
  const ours = ipaddr.IPv4.parse(`${prefix}.0`);
  return networks.some(([address, bits]) => ours.match(address, Math.min(bits, 24)));
}

function parseNetwork(text: string): Network {
  const [address = '', bits = '32'] = text.split('/');
  return [ipaddr.IPv4.parse(address), Number(bits)];
}

export async function routesOfMachine(): Promise<string> {
  return run('ip', ['-4', 'route', 'show', 'table', 'all']);
}

/** What an operating system may ask for by itself, counted apart: names and time. */
const countedPorts = [
  ['udp', 53],
  ['tcp', 53],
  ['udp', 123],
] as const;

function refusalChain({ bridge }: LabRecord): string {
  return `${bridge}-refused`;
}

/** Packets of an offline lab's hosts that wanted to leave its network, or wanted something of this machine. */
export interface Refused {
  protocol: 'tcp' | 'udp' | 'other';
  /** Only for the ports that are counted apart: 53 and 123. */
  port?: number;
  packets: number;
}

/** What was refused since the lab was made; nothing that is 0. */
export async function refusedPackets(lab: LabRecord): Promise<Refused[]> {
  if (!lab.offline) return [];
  return parseRefused(await run('iptables', ['-w', '-t', 'filter', '-L', refusalChain(lab), '-v', '-n', '-x']));
}

/** Reads `iptables -L CHAIN -v -n -x`. */
export function parseRefused(text: string): Refused[] {
  return text.split('\n').flatMap((line) => {
    const [, packets, name] = /^\s*(\d+)\s+\d+\s+REJECT\s+(\S+)\s/.exec(line) ?? [];
    if (packets === undefined || Number(packets) === 0) return [];
    // Newer versions of iptables print the number of the protocol with -n.
    const protocol = name === 'tcp' || name === '6' ? 'tcp' : name === 'udp' || name === '17' ? 'udp' : 'other';
    const port = / dpt:(\d+)/.exec(line)?.[1];
    return [{ protocol, ...(port === undefined ? {} : { port: Number(port) }), packets: Number(packets) }];
  });
}

/** The rules of one lab, without -A or -D; `-w` waits for the lock of iptables. */
function rules(lab: LabRecord): string[][] {
  const comment = ['-m', 'comment', '--comment', `slipway-lab ${lab.name}`];
  // Where bridged packets pass iptables, a FORWARD policy of DROP (docker sets one) would cut the hosts off from each other.
  const between = ['filter', 'FORWARD', '-i', lab.bridge, '-o', lab.bridge, ...comment, '-j', 'ACCEPT'];
  if (lab.offline) {
    const chain = refusalChain(lab);
    const refuse = (...match: string[]): string[] => ['filter', chain, ...match, ...comment, '-j', 'REJECT'];
    return [
      between,
      ['filter', 'FORWARD', '-i', lab.bridge, '!', '-o', lab.bridge, ...comment, '-j', chain],
      // Hosts answer this machine; they have nothing to ask of it.
      ['filter', 'INPUT', '-i', lab.bridge, '-m', 'conntrack', '--ctstate', 'NEW', ...comment, '-j', chain],
      // Rules are inserted, so the last comes first: a packet is counted under its port if we name it, else under its protocol.
      refuse(),
      refuse('-p', 'udp'),
      refuse('-p', 'tcp'),
      ...countedPorts.map(([protocol, port]) => refuse('-p', protocol, '--dport', String(port))),
    ];
  }
  return [
    between,
    ['filter', 'FORWARD', '-i', lab.bridge, '!', '-o', lab.bridge, ...comment, '-j', 'ACCEPT'],
    ['filter', 'FORWARD', '-o', lab.bridge, '-m', 'conntrack', '--ctstate', 'RELATED,ESTABLISHED', ...comment, '-j', 'ACCEPT'],
    // By the way out, not by the destination: hosts send to pods of other hosts over the bridge under their own addresses.
    ['nat', 'POSTROUTING', '-s', lab.range, '!', '-o', lab.bridge, ...comment, '-j', 'MASQUERADE'],
  ];
}

/** Makes what is missing of bridge, address, rules; may be run again. */
export async function networkUp(lab: LabRecord): Promise<void> {
  if ((await attempt('ip', ['link', 'show', lab.bridge])).exitCode !== 0) await run('ip', ['link', 'add', lab.bridge, 'type', 'bridge']);
  await run('ip', ['addr', 'replace', `${lab.gateway}/24`, 'dev', lab.bridge]);
  await run('ip', ['link', 'set', lab.bridge, 'up']);
  // A host that was asked for too early is asked for again after this time, not after a second.
  await writeFile(`/proc/sys/net/ipv4/neigh/${lab.bridge}/retrans_time_ms`, '50');
  // Also for a lab that leads nowhere: a packet that is refused is better than one that is lost.
  await writeFile(`/proc/sys/net/ipv4/conf/${lab.bridge}/forwarding`, '1');
  if (lab.offline) await attempt('iptables', ['-w', '-t', 'filter', '-N', refusalChain(lab)]);
  for (const [table = '', chain = '', ...rule] of rules(lab)) {
    if ((await attempt('iptables', ['-w', '-t', table, '-C', chain, ...rule])).exitCode !== 0)
      await run('iptables', ['-w', '-t', table, '-I', chain, ...rule]);
  }
  // Traffic to a Service that has no rule leaves a host by its default route; the machine must not carry it on to the outside.
  if (!(await attempt('ip', ['rule', 'show'])).stdout.includes(`iif ${lab.bridge} `)) await run('ip', ['rule', 'add', ...serviceRule(lab)]);
}

function serviceRule(lab: LabRecord): string[] {
  return ['iif', lab.bridge, 'to', lab.serviceCidr, 'unreachable', 'pref', '1086'];
}

/** Removes all of it, whatever of it is there. */
export async function networkDown(lab: LabRecord): Promise<void> {
  for (const [table = '', chain = '', ...rule] of rules(lab)) {
    while ((await attempt('iptables', ['-w', '-t', table, '-D', chain, ...rule])).exitCode === 0);
  }
  if (lab.offline) await attempt('iptables', ['-w', '-t', 'filter', '-X', refusalChain(lab)]);
  while ((await attempt('ip', ['rule', 'del', ...serviceRule(lab)])).exitCode === 0);
  for (const host of lab.hosts) await attempt('ip', ['link', 'del', hostLink(host.machine)]);
  await attempt('ip', ['link', 'del', lab.bridge]);
}

/** Nameservers that a host can reach: the machine's, from resolved's list where resolv.conf names only its stub on loopback. */
export async function resolvConf(): Promise<string> {
  for (const file of ['/etc/resolv.conf', '/run/systemd/resolve/resolv.conf']) {
    const text = await readFile(file, 'utf8').catch(() => '');
    const lines = text.split('\n').filter((line) => /^(nameserver|search|options)\s/.test(line) && !/^nameserver\s+(127\.|::1)/.test(line));
    if (lines.some((line) => line.startsWith('nameserver'))) return lines.join('\n') + '\n';
  }
  return '';
}

/** Pulls the plug of a host's network, or puts it back. */
export async function setLink(host: LabHostRecord, state: 'up' | 'down'): Promise<void> {
  await run('ip', ['link', 'set', hostLink(host.machine), state]);
}

/** Whether the plug is in; undefined when the host has no link because it is off. */
export async function linkIsUp(host: LabHostRecord): Promise<boolean | undefined> {
  const { exitCode, stdout } = await attempt('ip', ['link', 'show', hostLink(host.machine)]);
  return exitCode === 0 ? /[<,]UP[,>]/.test(stdout) : undefined;
}
