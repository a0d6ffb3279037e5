import type { Finding } from '../checks/check.ts';
import type { Measured, Passage } from '../checks/network/needs.ts';
import type { Cluster } from '../config/cluster.ts';
import type { Facts } from '../facts/facts.ts';
import { seconds, table, type Paint } from './style.ts';

/** The result of `slipway verify --network` for machines; a documented contract. */
export interface NetworkReport {
  apiVersion: 'slipway.dev/v1';
  kind: 'NetworkReport';
  cluster: string;
  hosts: readonly string[];
  /** ISO 8601 in UTC. */
  time: string;
  seconds: number;
  /** Nothing that is needed is blocked, and no finding is an error. */
  ok: boolean;
  /** Every pair of which one host needs something of the other, in this direction. */
  pairs: readonly {
    from: string;
    to: string;
    ports: readonly Pick<Passage, 'protocol' | 'port' | 'by' | 'state' | 'why'>[];
    /** Bytes, as far as packets of full size were tried. */
    size?: { needed: number; passed: number } | undefined;
  }[];
  /** Milliseconds by which a host's clock is ahead of the operator's; within one round trip. */
  clocks: Readonly<Record<string, number>>;
  findings: readonly Finding[];
}

export function networkReport(
  { passages, sizes }: Measured,
  about: { cluster: Cluster; facts: Readonly<Record<string, Facts>>; findings: readonly Finding[]; time: Date; ms: number },
): NetworkReport {
  const pairs = new Map<string, Passage[]>();
  for (const passage of passages) {
    const key = `${passage.from} ${passage.to}`;
    pairs.set(key, [...(pairs.get(key) ?? []), passage]);
  }
  const sizeOf = new Map(sizes.map(({ from, to, needed, passed }) => [`${from} ${to}`, { needed, passed }]));
  const hosts = about.cluster.hosts.map(({ name }) => name);
  return {
    apiVersion: 'slipway.dev/v1',
    kind: 'NetworkReport',
    cluster: about.cluster.name,
    hosts,
    time: about.time.toISOString(),
    seconds: Math.round(about.ms / 10) / 100,
    ok: about.findings.every(({ severity }) => severity !== 'error'),
    pairs: hosts.flatMap((from) =>
      hosts.flatMap((to) => {
        const own = pairs.get(`${from} ${to}`);
        if (own === undefined) return [];
        const size = sizeOf.get(`${from} ${to}`);
        return [
          {
            from,
            to,
            ports: own.map(({ protocol, port, by, state, why }) => ({ protocol, port, by, state, ...(why === undefined ? {} : { why }) })),
            ...(size === undefined ? {} : { size }),
          },
        ];
      }),
    ),
    clocks: Object.fromEntries(
      hosts.flatMap((name) => {
        const clock = about.facts[name]?.clock;
        return clock === undefined ? [] : [[name, clock.host - clock.operator]];
      }),
    ),
    findings: about.findings,
  };
}

/** More hosts than that make no table that a terminal can show: then only those with trouble are in it. */
const WIDE = 12;

/** One matrix, who reaches whom, and below it what is wrong and what to do. */
export function networkText(report: NetworkReport, paint: Paint): string {
  const cells = new Map(report.pairs.map((pair) => [`${pair.from} ${pair.to}`, cellOf(pair)]));
  const troubled = report.pairs.filter(({ from, to }) => cells.get(`${from} ${to}`) !== 'ok');
  const wide = report.hosts.length > WIDE;
  const rows = wide ? report.hosts.filter((host) => troubled.some(({ from }) => from === host)) : report.hosts;
  const columns = wide ? report.hosts.filter((host) => troubled.some(({ to }) => to === host)) : report.hosts;
  const matrix = table([
    ['from \\ to', ...columns, 'clock'],
    ...rows.map((from) => [from, ...columns.map((to) => cells.get(`${from} ${to}`) ?? '-'), skew(report.clocks[from])]),
  ]);
  const tried = new Map(report.pairs.flatMap((pair) => pair.ports.map((port) => [`${port.protocol} ${port.port} ${port.by}`, port])));
  const ports = [...tried]
    .sort(([, a], [, b]) => a.protocol.localeCompare(b.protocol) || a.port - b.port)
    .map(([words]) => words)
    .join(', ');
  const findings = report.findings.map(({ severity, hosts, what, hint }) =>
    [
      `${severity === 'error' ? paint('red', 'FAIL') : paint('yellow', 'warn')}  ${hosts.length > 0 ? `${hosts.join(', ')}: ` : ''}${what}`,
      `      ${paint('cyan', 'next:')} ${hint}`,
    ].join('\n'),
  );
  const good = report.pairs.length - troubled.length;
  return [
    ...(wide && troubled.length === 0 ? [] : [colored(matrix, paint), '']),
    ...(ports === '' ? [] : [paint('dim', `tried: ${ports}`), '']),
    ...(findings.length > 0 ? [findings.join('\n'), ''] : []),
    `${report.cluster}: ${good} of ${report.pairs.length} ways between ${report.hosts.length} hosts are free (${seconds(report.seconds * 1000)})`,
  ].join('\n');
}

function cellOf({ ports, size }: NetworkReport['pairs'][number]): string {
  const blocked = ports.filter(({ state }) => state === 'blocked').map(({ protocol, port }) => `${protocol}/${port}`);
  if (blocked.length > 0) return blocked.join(',');
  if (size !== undefined && size.passed < size.needed) return `mtu ${size.passed}`;
  return ports.some(({ state }) => state === 'unknown') ? '?' : 'ok';
}

function skew(ms: number | undefined): string {
  if (ms === undefined) return '?';
  const tenths = Math.round(ms / 100);
  return `${tenths > 0 ? '+' : ''}${(tenths / 10 + 0).toFixed(1)} s`;
}

/** After the columns were made: escape sequences have no width. */
function colored(matrix: string, paint: Paint): string {
  return matrix
    .replace(/(?<= )(?:(?:tcp|udp)\/\d+,?)+/g, (blocked) => paint('red', blocked))
    .replace(/(?<= )(?:mtu \d+|\?)(?= |$)/gm, (doubtful) => paint('yellow', doubtful));
}
