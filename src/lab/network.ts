import { readFile, writeFile } from 'node:fs/promises';
import { SlipwayError } from '../base/errors.ts';
import { attempt, run } from './command.ts';
import type { LabRecord } from './record.ts';

/** 10.80.0.0 to 10.95.255.0: clear of the default pod and Service networks. */
export const firstOctets = '10.86';

export function hostLink(machine: string): string {
  return `vb-${machine}`;
}

/** The lowest number whose network neither another lab nor any route or address of this machine uses. */
export async function freeNumber(taken: readonly number[]): Promise<number> {
  const routes = await run('ip', ['-4', 'route', 'show', 'table', 'all']);
  const used = new Set([...taken, ...[...routes.matchAll(/\b10\.86\.(\d+)\./g)].map((m) => Number(m[1]))]);
  for (let number = 1; number < 255; number += 1) if (!used.has(number)) return number;
  throw new SlipwayError('every network of the lab is in use', {
    code: 'LAB_NO_NETWORK',
    category: 'refused',
    hint: 'Take a lab down: `slipway lab status` lists them.',
  });
}

/** The rules of one lab, without -A or -D; `-w` waits for the lock of iptables. */
function rules(lab: LabRecord): string[][] {
  const comment = ['-m', 'comment', '--comment', `slipway-lab ${lab.name}`];
  // Where bridged packets pass iptables, a FORWARD policy of DROP (docker sets one) would cut the hosts off from each other.
  const between = ['filter', 'FORWARD', '-i', lab.bridge, '-o', lab.bridge, ...comment, '-j', 'ACCEPT'];
  if (lab.offline) return [between, ['filter', 'FORWARD', '-i', lab.bridge, '!', '-o', lab.bridge, ...comment, '-j', 'REJECT']];
  return [
    between,
    ['filter', 'FORWARD', '-i', lab.bridge, '!', '-o', lab.bridge, ...comment, '-j', 'ACCEPT'],
    ['filter', 'FORWARD', '-o', lab.bridge, '-m', 'conntrack', '--ctstate', 'RELATED,ESTABLISHED', ...comment, '-j', 'ACCEPT'],
    ['nat', 'POSTROUTING', '-s', lab.range, '!', '-d', lab.range, ...comment, '-j', 'MASQUERADE'],
  ];
}

/** Makes what is missing of bridge, address, rules; may be run again. */
export async function networkUp(lab: LabRecord): Promise<void> {
  if ((await attempt('ip', ['link', 'show', lab.bridge])).exitCode !== 0) await run('ip', ['link', 'add', lab.bridge, 'type', 'bridge']);
  await run('ip', ['addr', 'replace', `${lab.gateway}/24`, 'dev', lab.bridge]);
  await run('ip', ['link', 'set', lab.bridge, 'up']);
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

/** Reads or writes one kernel setting of this machine, named as a path below /proc/sys. */
export async function readKernel(key: string): Promise<string> {
  return (await readFile(`/proc/sys/${key}`, 'utf8')).trim();
}

export async function writeKernel(key: string, value: string): Promise<void> {
  await writeFile(`/proc/sys/${key}`, value);
}
