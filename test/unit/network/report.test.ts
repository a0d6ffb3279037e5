import { describe, expect, test } from '@jest/globals';
import { preflightContext } from '../../../src/checks/preflight/context.ts';
import { preflight } from '../../../src/checks/preflight/index.ts';
import { reachability } from '../../../src/checks/preflight/reachability.ts';
import { networkNeeds, type Measured, type Passage } from '../../../src/checks/network/needs.ts';
import { networkReport, networkText, type NetworkReport } from '../../../src/cli/network-report.ts';
import { painter } from '../../../src/cli/style.ts';
import type { Cluster } from '../../../src/config/cluster.ts';
import type { Context } from '../../../src/phases/context.ts';
import { normalise } from '../../../src/phases/normalise.ts';
import { contextOf } from '../phases/context.ts';
import { healthy } from '../preflight/hosts.ts';

function report(
  context: Context,
  { state, sizes = [] }: { state?: (need: Passage) => Partial<Passage>; sizes?: Measured['sizes'] } = {},
): NetworkReport {
  const passages = networkNeeds(context).map((need): Passage => {
    const passage: Passage = { ...need, state: 'ok' };
    return { ...passage, ...state?.(passage) };
  });
  const measured: Measured = { passages, sizes, silent: {} };
  return networkReport(measured, {
    cluster: context.cluster,
    facts: context.facts,
    findings: preflight(preflightContext({ ...context, network: measured }), [reachability]),
    time: new Date('2026-11-21T12:00:00Z'),
    ms: 1234,
  });
}

/** A cluster of one control plane and so many workers. */
function large(workers: number): Context {
  const grow = (cluster: Cluster): Cluster => ({
    ...cluster,
    hosts: [
      cluster.hosts[0]!,
      ...Array.from({ length: workers }, (_, i) => ({ ...cluster.hosts[1]!, name: `w-${i + 1}`, address: `10.0.1.${i + 1}` })),
    ],
  });
  const context = contextOf('', grow);
  const facts = Object.fromEntries(context.cluster.hosts.map(({ name, address }) => [name, healthy(name, address)]));
  return { ...context, ...normalise(context.cluster, facts) };
}

const text = (made: NetworkReport): string => networkText(made, painter(false));

describe('the matrix', () => {
  test('without a flaw', () => {
    expect(text(report(contextOf()))).toBe(`from \\ to  cp-1  w-1  w-2  clock
cp-1       -     ok   ok   0.0 s
w-1        ok    -    ok   0.0 s
w-2        ok    ok   -    0.0 s

tried: tcp 6443 kube-apiserver, tcp 10250 kubelet, udp 8472 flanneld

prod: 6 of 6 ways between 3 hosts are free (1.2 s)`);
  });

  test('has the ports that are blocked, sizes that do not pass, what is not known, and below it the way out', () => {
    const context = contextOf();
    context.facts['w-2']!.clock.host += 2_300;
    const made = report(context, {
      state: ({ from, to, protocol }) =>
        to === 'w-1'
          ? { state: 'blocked', why: 'nothing arrives' }
          : from === 'w-1' && to === 'cp-1' && protocol === 'tcp'
            ? { state: 'unknown', why: 'the port is in use by nginx' }
            : {},
      sizes: [{ from: 'cp-1', to: 'w-2', needed: 1500, passed: 1400 }],
    });
    expect(made.ok).toBe(false);
    expect(text(made)).toBe(`from \\ to  cp-1  w-1                 w-2       clock
cp-1       -     tcp/10250,udp/8472  mtu 1400  0.0 s
w-1        ?     -                   ok        0.0 s
w-2        ok    udp/8472            -         +2.3 s

tried: tcp 6443 kube-apiserver, tcp 10250 kubelet, udp 8472 flanneld

FAIL  cp-1 does not reach w-1 on tcp port 10250 (kubelet): nothing arrives
      next: Let tcp 10250 in on w-1 from cp-1, and through whatever filters between them (security groups too). iptables-save and nft list ruleset show a host’s own rules.
FAIL  cp-1 and w-2 do not reach w-1 on udp port 8472 (flanneld): nothing arrives
      next: Let udp 8472 in on w-1 from cp-1 and w-2, and through whatever filters between them (security groups too). iptables-save and nft list ruleset show a host’s own rules.

prod: 2 of 6 ways between 3 hosts are free (1.2 s)`);
  });

  test('of many hosts has only those with trouble', () => {
    const context = large(40);
    expect(text(report(context))).toBe(
      'tried: tcp 6443 kube-apiserver, tcp 10250 kubelet, udp 8472 flanneld\n\nprod: 1640 of 1640 ways between 41 hosts are free (1.2 s)',
    );
    const made = report(context, { state: ({ to }) => (to === 'w-7' ? { state: 'blocked', why: 'nothing arrives' } : {}) });
    const lines = text(made).split('\n');
    expect(lines[0]).toBe('from \\ to  w-7                 clock');
    expect(lines.slice(1, 41)).toEqual(expect.arrayContaining(['w-1        udp/8472            0.0 s']));
    expect(text(made)).toContain(
      'FAIL  40 hosts (cp-1, w-1, w-2, w-3, w-4, ...) do not reach w-7 on udp port 8472 (flanneld): nothing arrives',
    );
  });

  test('has colours only where something is wrong', () => {
    const painted = networkText(
      report(contextOf(), { state: ({ to }) => (to === 'w-1' ? { state: 'blocked' } : {}) }),
      (format, words) => `<${String(format)}>${words}</>`,
    );
    expect(painted).toContain('<red>tcp/10250,udp/8472</>');
    expect(painted).toMatch(/^w-1 +ok +- +ok/m);
  });
});

test('the report for machines has every pair in each direction, with every port and the reason', () => {
  const made = report(contextOf(), {
    state: ({ to, protocol }) => (to === 'cp-1' && protocol === 'tcp' ? { state: 'blocked', why: 'Connection refused' } : {}),
    sizes: [{ from: 'w-1', to: 'cp-1', needed: 1500, passed: 1500 }],
  });
  expect(made).toMatchObject({
    apiVersion: 'slipway.dev/v1',
    kind: 'NetworkReport',
    ok: false,
    seconds: 1.23,
    hosts: ['cp-1', 'w-1', 'w-2'],
  });
  expect(made.pairs.map(({ from, to }) => `${from} ${to}`)).toEqual(['cp-1 w-1', 'cp-1 w-2', 'w-1 cp-1', 'w-1 w-2', 'w-2 cp-1', 'w-2 w-1']);
  expect(made.pairs[2]).toEqual({
    from: 'w-1',
    to: 'cp-1',
    ports: [
      { protocol: 'tcp', port: 6443, by: 'kube-apiserver', state: 'blocked', why: 'Connection refused' },
      { protocol: 'udp', port: 8472, by: 'flanneld', state: 'ok' },
    ],
    size: { needed: 1500, passed: 1500 },
  });
  expect(made.clocks).toEqual({ 'cp-1': 0, 'w-1': 0, 'w-2': 0 });
});
