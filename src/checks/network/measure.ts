import { groupBy } from '../../base/group.ts';
import { randomBytes } from 'node:crypto';
import { messageOf } from '../../base/errors.ts';
import type { Runner, Session } from '../../remote/runner.ts';
import type { Known } from '../preflight/context.ts';
import { neededSize, stranger, type Measured, type Need, type Passage, type PathSize } from './needs.ts';
import { stationScript } from './station.ts';

export interface MeasureOptions extends Pick<Known, 'cluster' | 'facts'> {
  runner(host: string): Promise<Runner>;
  /** Aborted: ends early with what is known; the caller looks at the signal. */
  stop: AbortSignal;
}

/** Milliseconds. What is lost on the way is waited for that long after the last was sent. */
const patience = { ready: 10_000, sending: 20_000, arriving: 500, ending: 5_000 };

/** Bytes: what tells a port that lets datagrams pass. */
const SMALL = 100;
/** What lines commonly carry: DSL, tunnels, clouds, other overlays. The least is what pods' software counts on. */
const LADDER = [1492, 1476, 1460, 1450, 1420, 1400, 1350, 1300, 1280];

/** One thing that is tried. */
interface Probe {
  from: string;
  to: string;
  protocol: 'tcp' | 'udp';
  port: number;
  size: number;
  /** Undefined: not known (yet); empty: it passed; else why it did not. */
  outcome?: string;
}

/** One host that listens and probes. */
interface Station {
  session: Session;
  ready: boolean;
  sent: boolean;
  /** Why nothing more comes from it. */
  over?: string;
}

/**
 * Tries what hosts need of each other, with real listeners and in one conversation with each host, all at once. Nothing is left behind. Where all
 * is well, two round trips do; what does not pass costs two seconds. Hosts where that is not possible are named in the result, nothing throws.
 */
export async function measureNetwork(needs: readonly Need[], options: MeasureOptions): Promise<Measured> {
  const { cluster, facts } = options;
  const hosts = [...new Set(needs.flatMap(({ from, to }) => [from, to]))];
  const stations = await openStations(hosts, options);
  const addressOf = (name: string): string => cluster.hosts.find((host) => host.name === name)!.privateAddress!;
  try {
    const incoming = groupBy(needs, ({ to }) => to);
    for (const [name, { session }] of stations.all) {
      const own = (incoming.get(name) ?? []).filter((need) => stranger(facts[name]!, need) === undefined);
      for (const line of new Set(own.map(({ protocol, port }) => `listen ${protocol} ${port}`))) session.writeLine(line);
      session.writeLine('ready');
    }
    await stations.until(() => stations.all.every(([, { ready, over }]) => ready || over !== undefined), patience.ready);
    for (const [, station] of stations.all) if (!station.ready) station.over ??= 'it did not get ready to listen in time';

    const unknown = (need: Need): string | undefined => {
      const holder = stranger(facts[need.to]!, need);
      return holder !== undefined
        ? `the port is in use${holder === '' ? '' : ` by ${holder}`}`
        : (stations.silent(need.from) ?? stations.silent(need.to) ?? stations.deaf.get(`${need.to} ${need.protocol} ${need.port}`));
    };
    const tried = needs.filter((need) => unknown(need) === undefined);
    const probesOf = (need: Need, sizes: readonly number[]): Probe[] => sizes.map((size) => ({ ...need, size }));
    const first = new Map(
      tried.map((need) => {
        const needed = need.protocol === 'udp' ? neededSize({ cluster, facts }, need.from) : undefined;
        return [need, probesOf(need, needed === undefined ? [SMALL] : [SMALL, needed])] as const;
      }),
    );
    await stations.run([...first.values()].flat(), addressOf);

    // How much does pass, where the whole does not.
    const short = [...first].filter(([, [small, whole]]) => small!.outcome === '' && whole !== undefined && whole.outcome !== '');
    const ladder = new Map(
      short.map(([need, [, whole]]) => [
        need,
        probesOf(need, [
          ...new Set([neededSize({ cluster, facts }, need.to) ?? SMALL, ...LADDER].filter((size) => size > SMALL && size < whole!.size)),
        ]),
      ]),
    );
    if (short.length > 0) await stations.run([...ladder.values()].flat(), addressOf);

    const passages = needs.map((need): Passage => {
      const small = first.get(need)?.[0];
      if (small === undefined) return { ...need, state: 'unknown', why: unknown(need) };
      const silent = stations.silent(need.from) ?? (need.protocol === 'udp' ? stations.silent(need.to) : undefined);
      if (small.outcome === undefined && silent !== undefined) return { ...need, state: 'unknown', why: silent };
      return small.outcome === '' ? { ...need, state: 'ok' } : { ...need, state: 'blocked', why: small.outcome ?? 'nothing arrives' };
    });
    const sizes = [...first].flatMap(([need, [small, whole]]): PathSize[] => {
      if (
        small!.outcome !== '' ||
        whole === undefined ||
        stations.silent(need.from) !== undefined ||
        stations.silent(need.to) !== undefined
      )
        return [];
      const passed = [small!, whole, ...(ladder.get(need) ?? [])].filter(({ outcome }) => outcome === '').map(({ size }) => size);
      return [{ from: need.from, to: need.to, needed: whole.size, passed: Math.max(...passed) }];
    });
    const silent = hosts.flatMap((name) => {
      const reason = stations.silent(name);
      return reason === undefined ? [] : [[name, reason]];
    });
    return { passages, sizes, silent: Object.fromEntries(silent) as Record<string, string> };
  } finally {
    await stations.close();
  }
}

interface Stations {
  /** Hosts that could be connected. */
  readonly all: readonly (readonly [string, Station])[];
  /** `HOST PROTOCOL PORT` of what a host cannot listen on, with the reason. */
  readonly deaf: ReadonlyMap<string, string>;
  /** Why a host neither listens nor probes. */
  silent(host: string): string | undefined;
  /** Waits for a condition that lines from the hosts bring about; at most that many milliseconds. */
  until(condition: () => boolean, ms: number): Promise<void>;
  /** Tries all of them, and returns when everything passed or nothing more is to be expected. */
  run(probes: readonly Probe[], addressOf: (host: string) => string): Promise<void>;
  close(): Promise<void>;
}

async function openStations(hosts: readonly string[], { cluster, runner, stop }: MeasureOptions): Promise<Stations> {
  const token = randomBytes(8).toString('hex');
  const waiting = new Set<() => void>();
  const changed = (): void => {
    for (const look of waiting) look();
  };
  const deaf = new Map<string, string>();
  const failed = new Map<string, string>();
  /** By ID; those of an earlier round keep theirs, so that what arrives late is not taken for something else. */
  const probes: Probe[] = [];
  const left = { unpassed: 0, unknown: 0 };
  const settle = (probe: Probe, outcome: string): void => {
    // Of a datagram that was sent three times, one may have failed.
    if (probe.outcome === '' || (probe.outcome !== undefined && outcome !== '')) return;
    if (probe.outcome === undefined) left.unknown--;
    if (outcome === '') left.unpassed--;
    probe.outcome = outcome;
  };

  const open = async (name: string): Promise<(readonly [string, Station])[]> => {
    const address = cluster.hosts.find((host) => host.name === name)!.privateAddress!;
    let remote: Runner;
    try {
      remote = await runner(name);
    } catch (error) {
      failed.set(name, messageOf(error));
      return [];
    }
    const onLine = (line: string): void => {
      const [what, first, second, ...rest] = line.split(' ') as [string, string?, string?, ...string[]];
      if (what === 'ready') station.ready = true;
      else if (what === 'sent') station.sent = true;
      else if (what === 'none') station.over = 'it has neither perl nor python3, with which one could listen there';
      else if (what === 'deaf') deaf.set(`${name} ${first ?? ''} ${second ?? ''}`, `nothing can listen there: ${rest.join(' ')}`);
      else {
        const probe = probes[Number(first)];
        if (probe === undefined) return;
        if (what === 'ok' || what === 'got') settle(probe, '');
        else if (what === 'failed') settle(probe, line.split(' ').slice(2).join(' '));
      }
      changed();
    };
    const station: Station = { session: remote.open(stationScript({ address, token }), { onLine }), ready: false, sent: false };
    station.session.done
      .then(
        ({ code, stderr }) => (station.over ??= `the probe ended with exit code ${code}: ${stderr.trim().split('\n').at(-1) ?? ''}`),
        (error: unknown) => (station.over ??= messageOf(error)),
      )
      .finally(changed)
      .catch(() => {});
    return [[name, station]];
  };

  const until = async (condition: () => boolean, ms: number): Promise<void> => {
    let look!: () => void;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      look = () => {
        if (condition() || stop.aborted) resolve();
      };
      waiting.add(look);
      stop.addEventListener('abort', look);
      timer = setTimeout(resolve, ms);
      look();
    });
    clearTimeout(timer);
    waiting.delete(look);
    stop.removeEventListener('abort', look);
  };

  const all = (await Promise.all(hosts.map(open))).flat();
  const byName = new Map(all);
  return {
    all,
    deaf,
    silent: (host) => failed.get(host) ?? byName.get(host)?.over,
    until,
    async run(wanted, addressOf) {
      const first = probes.length;
      for (const probe of wanted) probes.push(probe);
      Object.assign(left, { unpassed: wanted.length, unknown: wanted.length });
      const numbered = wanted.map((probe, i) => ({ probe, id: first + i }));
      const outgoing = groupBy(numbered, ({ probe }) => probe.from);
      for (const [name, station] of all) {
        const own = outgoing.get(name) ?? [];
        station.sent = own.length === 0;
        if (own.length === 0 || station.over !== undefined) continue;
        // Not everybody begins with the same host.
        const start = hosts.indexOf(name) % own.length;
        for (const { probe, id } of [...own.slice(start), ...own.slice(0, start)]) {
          const { protocol, to, port, size } = probe;
          station.session.writeLine(`${protocol} ${id} ${addressOf(to)} ${port}${protocol === 'udp' ? ` ${size}` : ''}`);
        }
        station.session.writeLine('go');
      }
      const settled = (): boolean => all.every(([, { sent, over }]) => sent || over !== undefined);
      await until(() => left.unpassed === 0 || settled(), patience.sending);
      await until(() => left.unknown === 0, patience.arriving);
    },
    async close() {
      for (const [, { session }] of all) session.end();
      const ended = Promise.allSettled(all.map(([, { session }]) => session.done));
      let timer: NodeJS.Timeout | undefined;
      await Promise.race([ended, new Promise((resolve) => (timer = setTimeout(resolve, patience.ending)))]);
      clearTimeout(timer);
    },
  };
}
