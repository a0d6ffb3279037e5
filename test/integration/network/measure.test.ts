import { execFileSync, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { measureNetwork } from '../../../src/checks/network/measure.ts';
import type { Measured, Need } from '../../../src/checks/network/needs.ts';
import type { Cluster } from '../../../src/config/cluster.ts';
import type { Facts } from '../../../src/facts/facts.ts';
import { connectionLost } from '../../../src/remote/errors.ts';
import { openSession } from '../../../src/remote/session.ts';
import type { Runner, RunResult } from '../../../src/remote/runner.ts';
import { freePort } from '../../helpers/sshd.ts';
import { clusterOf, healthy } from '../../unit/preflight/hosts.ts';
import { normalise } from '../../../src/phases/normalise.ts';

/** This machine as three hosts, each with an address of its own on the loopback. */
const addresses = { 'cp-1': '127.0.0.11', 'w-1': '127.0.0.21', 'w-2': '127.0.0.22' } as const;
type Name = keyof typeof addresses;

let directory: string;
let tcp: number;
let udp: number;
/** Directories whose only commands are the interpreter; `none` has none. */
const paths: Record<string, string> = {};
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'slipway-measure-'));
  for (const name of ['perl', 'python3', 'none']) {
    paths[name] = await mkdtemp(join(directory, `${name}-`));
    // Not a wrapper that needs other commands.
    const ask = name === 'perl' ? ['-e', 'print $^X'] : ['-c', 'import sys; print(sys.executable, end="")'];
    if (name !== 'none') await symlink(execFileSync(name, ask, { encoding: 'utf8' }), join(paths[name], name));
  }
  [tcp, udp] = [await freePort(), await freePort()];
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const running = new Set<number>();

/** A shell on this machine in the place of one on another. */
function localRunner(host: string, path: string): Runner {
  const stats = { roundTrips: 0, bytesSent: 0, bytesReceived: 0 };
  const unused = (): never => {
    throw new Error('one conversation with each host is enough');
  };
  return {
    host,
    stats,
    run: unused,
    close: async () => {},
    open: (script, { onLine } = {}) =>
      openSession(async (stdin): Promise<RunResult> => {
        stats.roundTrips++;
        const child = spawn('/bin/sh', ['-c', script], { env: { PATH: path, LC_ALL: 'C' } });
        running.add(child.pid!);
        child.stdin.on('error', () => {});
        stdin.pipe(child.stdin);
        let [stdout, stderr, rest] = ['', '', ''];
        child.stdout.on('data', (part: Buffer) => {
          stdout += part.toString();
          const lines = (rest + part.toString()).split('\n');
          rest = lines.pop()!;
          for (const line of lines) onLine?.(line);
        });
        child.stderr.on('data', (part: Buffer) => (stderr += part.toString()));
        const [code] = (await once(child, 'close')) as [number];
        running.delete(child.pid!);
        return { code, stdout, stderr };
      }),
  };
}

interface Situation {
  tools?: Partial<Record<Name, string>>;
  facts?: Partial<Record<Name, Partial<Facts>>>;
  needs?: readonly Need[];
  runner?: (host: string) => Promise<Runner>;
  stop?: AbortSignal;
}

const need = (from: Name, to: Name, protocol: 'tcp' | 'udp', port = protocol === 'tcp' ? tcp : udp): Need => ({
  from,
  to,
  protocol,
  port,
  by: 'test',
});
const names = Object.keys(addresses) as Name[];
const everything = (): Need[] =>
  names.flatMap((from) =>
    names.filter((to) => to !== from).flatMap((to) => (['tcp', 'udp'] as const).map((protocol) => need(from, to, protocol))),
  );

async function measure({ tools = {}, facts = {}, needs = everything(), ...others }: Situation): Promise<Measured> {
  const written = clusterOf();
  const cluster: Cluster = {
    ...written,
    hosts: written.hosts.map((host) => ({ ...host, privateAddress: addresses[host.name as Name] })),
  };
  const gathered = Object.fromEntries(names.map((name) => [name, { ...healthy(name, addresses[name]), ...facts[name] }]));
  const settled = normalise(cluster, gathered);
  const measured = await measureNetwork(needs, {
    cluster: settled.cluster,
    facts: settled.facts,
    runner: async (host) => localRunner(host, paths[tools[host as Name] ?? 'perl']!),
    stop: new AbortController().signal,
    ...others,
  });
  expect([...running]).toEqual([]);
  return measured;
}

const states = ({ passages }: Measured): string[] =>
  passages.map(({ from, to, protocol, state, why }) => `${from}>${to} ${protocol} ${state}${why === undefined ? '' : ` ${why}`}`);

describe.each(['perl', 'python3'])('hosts with %s', (tool) => {
  const tools = { 'cp-1': tool, 'w-1': tool, 'w-2': tool };

  test('try every way in both directions with listeners of their own, which are gone afterwards', async () => {
    for (const _ of [1, 2]) {
      const measured = await measure({ tools });
      expect(states(measured).filter((line) => !line.endsWith(' ok'))).toEqual([]);
      expect(measured.passages).toHaveLength(12);
      expect(measured.sizes).toHaveLength(6);
      expect(measured.sizes.every(({ needed, passed }) => needed === 1500 && passed === 1500)).toBe(true);
    }
  });

  test('use the listener that is there, and hear what comes to a UDP port that is taken', async () => {
    const server = createServer((socket) => socket.destroy()).listen(0, addresses['w-1']);
    const datagrams = createSocket('udp4');
    try {
      await once(server, 'listening');
      datagrams.bind(0, addresses['w-1']);
      await once(datagrams, 'listening');
      const ports = [
        need('cp-1', 'w-1', 'tcp', (server.address() as AddressInfo).port),
        need('cp-1', 'w-1', 'udp', datagrams.address().port),
      ];
      const heard = userInfo().uid === 0 ? 'ok' : 'unknown nothing can listen there: Operation not permitted';
      expect(states(await measure({ tools, needs: ports }))).toEqual(['cp-1>w-1 tcp ok', `cp-1>w-1 udp ${heard}`]);
    } finally {
      server.close();
      datagrams.close();
    }
  });

  test('end when the run is interrupted', async () => {
    const runner = localRunner('w-1', paths[tool]!);
    const stop = new AbortController();
    const measuring = measure({ tools, runner: async () => runner, needs: [need('cp-1', 'w-1', 'tcp')], stop: stop.signal });
    stop.abort();
    await measuring;
    expect([...running]).toEqual([]);
  });
});

test('hosts with different tools understand each other', async () => {
  expect(states(await measure({ tools: { 'w-1': 'python3' } })).filter((line) => !line.endsWith(' ok'))).toEqual([]);
});

test('a host without perl and python, and one that cannot be reached, are named, and the others are tried', async () => {
  const reason = 'it has neither perl nor python3, with which one could listen there';
  const bare = await measure({ tools: { 'w-1': 'none' }, needs: [need('cp-1', 'w-1', 'udp'), need('cp-1', 'w-2', 'udp')] });
  expect([bare.silent, states(bare)]).toEqual([{ 'w-1': reason }, [`cp-1>w-1 udp unknown ${reason}`, 'cp-1>w-2 udp ok']]);

  const away = await measure({
    needs: [need('w-2', 'cp-1', 'tcp'), need('w-1', 'cp-1', 'tcp')],
    runner: async (host) => {
      if (host === 'w-2') throw connectionLost(host);
      return localRunner(host, paths['perl']!);
    },
  });
  expect(away.silent).toEqual({ 'w-2': expect.stringContaining('w-2') });
  expect(states(away)).toEqual([expect.stringMatching(/^w-2>cp-1 tcp unknown /), 'w-1>cp-1 tcp ok']);
});

test('a port that somebody else holds is not touched', async () => {
  let touched = 0;
  const server = createServer((socket) => {
    touched++;
    socket.destroy();
  }).listen(0, addresses['w-1']);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const measured = await measure({
    needs: [need('cp-1', 'w-1', 'tcp', port)],
    facts: { 'w-1': { listening: [{ protocol: 'tcp', address: '*', port, process: 'nginx' }] } },
  });
  server.close();
  expect([touched, states(measured)]).toEqual([0, ['cp-1>w-1 tcp unknown the port is in use by nginx']]);
});
