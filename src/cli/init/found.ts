import type { Finding } from '../../checks/check.ts';
import { isIPv4 } from '../../config/addresses.ts';
import type { HostKeyQuestion } from '../../remote/target.ts';
import type { Facts } from '../../facts/facts.ts';
import { table, type Paint } from '../style.ts';
import type { ProbeResult } from './probe.ts';

/** One line for each host: what it is, or why nothing is known of it. */
export function hostsTable(results: ReadonlyMap<string, ProbeResult>, paint: Paint): string {
  const rows = [...results].flatMap(([host, result]) => (result.kind === 'facts' ? [hostRow(host, result.facts)] : []));
  if (rows.length === 0) return '';
  const [heading, ...lines] = table([['HOST', 'NAME', 'SYSTEM', 'CPUS', 'MEMORY', 'DISK FREE', 'ADDRESSES'], ...rows]).split('\n');
  return [paint('bold', heading!), ...lines].join('\n');
}

function hostRow(host: string, facts: Facts): string[] {
  const disk = facts.disks.find(({ path }) => path === '/var/lib') ?? facts.disks[0];
  const addresses = facts.interfaces
    .filter(({ name, up }) => up && name !== 'lo')
    .flatMap(({ name, addresses }) =>
      addresses.filter(({ address }) => isIPv4(address)).map(({ address, prefix }) => `${address}/${prefix} (${name})`),
    );
  return [
    host,
    facts.hostname,
    `${facts.os.prettyName}, ${facts.arch}`,
    String(facts.cpus),
    gigabytes(facts.memory.total),
    disk === undefined ? '?' : gigabytes(disk.free),
    addresses.length > 2 ? `${addresses.slice(0, 2).join(', ')} and ${addresses.length - 2} more` : addresses.join(', '),
  ];
}

function gigabytes(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}

/** The hosts that could not be looked at, equal reasons together. */
export function failuresText(results: ReadonlyMap<string, ProbeResult>, paint: Paint): string {
  const groups = new Map<string, { hosts: string[]; message: string; hint: string | undefined; code: string }>();
  for (const [host, result] of results) {
    if (result.kind !== 'error') continue;
    const { error } = result;
    const message = error.message.replaceAll(host, 'the host');
    const key = `${error.code} ${message}`;
    const group = groups.get(key) ?? { hosts: [], message, hint: error.hint?.replaceAll(host, 'HOST'), code: error.code };
    group.hosts.push(host);
    groups.set(key, group);
  }
  return [...groups.values()]
    .map(({ hosts, message, hint, code }) => {
      const single = hosts.length === 1 ? hosts[0]! : undefined;
      const text = single === undefined ? message : message.replaceAll('the host', single);
      const next =
        hint === undefined ? [] : [`    ${paint('cyan', 'next:')} ${single === undefined ? hint : hint.replaceAll('HOST', single)}`];
      return [`${paint('red', 'error')} ${some(hosts)}: ${text} ${paint('dim', `[${code}]`)}`, ...next].join('\n');
    })
    .join('\n');
}

/** The keys to compare, one line for each host. */
export function keysText(questions: readonly HostKeyQuestion[]): string {
  return table(
    questions.map(({ host, address, type, fingerprint }) => [
      `  ${host === address.replace(/^\[(.*)\]/, '$1') ? host : `${host} (${address})`}`,
      type,
      fingerprint,
    ]),
  );
}

/** What stands in the way of installing, and what should be known. */
export function findingsText(findings: readonly Finding[], paint: Paint): string {
  return findings
    .map(({ severity, hosts, what, hint }) => {
      const word = severity === 'error' ? paint('red', 'error') : paint('yellow', 'warning');
      return `${word} ${hosts.length === 0 ? '' : `${some(hosts)}: `}${what}\n    ${paint('cyan', 'next:')} ${hint}`;
    })
    .join('\n');
}

export function some(hosts: readonly string[]): string {
  if (hosts.length <= 4) return hosts.join(', ');
  return `${hosts.slice(0, 3).join(', ')} and ${hosts.length - 3} more`;
}
