import { describe, expect, test } from '@jest/globals';
import { SlipwayError } from '../../../src/base/errors.ts';
import { everythingOf, type HostStatus } from '../../../src/cli/cluster-status.ts';
import { driftOf } from '../../../src/cli/drift.ts';
import type { Host } from '../../../src/config/cluster.ts';
import type { Context } from '../../../src/phases/context.ts';
import { NODES_PROBE } from '../../../src/phases/nodes.ts';
import { contextOf } from '../phases/context.ts';
import { installed } from '../phases/installed.ts';

const error = new SlipwayError('it refused the login', { code: 'AUTH_REFUSED', category: 'unreachable', hint: 'Check the user.' });

/** An installed cluster of which some hosts could not be read, and where the API says this of the nodes. */
function unreadable(names: readonly string[], { nodes, as = (host) => host }: { nodes?: string; as?: (host: Host) => Host } = {}): Context {
  const { context } = installed(contextOf());
  const read = <T>(all: Readonly<Record<string, T>>): Record<string, T> =>
    Object.fromEntries(Object.entries(all).filter(([name]) => !names.includes(name)));
  const states = read(context.states);
  const cp = states['cp-1'];
  const cluster = { ...context.cluster, hosts: context.cluster.hosts.map((host) => (names.includes(host.name) ? as(host) : host)) };
  return {
    ...context,
    cluster,
    limit: cluster.hosts.filter(({ name }) => !names.includes(name)).map(({ name }) => name),
    unread: cluster.hosts.filter(({ name }) => names.includes(name)).map((host) => ({ host, error })),
    facts: read(context.facts),
    states: cp && nodes !== undefined ? { ...states, 'cp-1': { ...cp, probes: { ...cp.probes, [NODES_PROBE.name]: nodes } } } : states,
  };
}

const gathered = (context: Context) => ({ context, states: context.states, stamps: {} });
const status = (context: Context): Record<string, HostStatus> =>
  Object.fromEntries(everythingOf(gathered(context)).hosts.map((host) => [host.name, host]));

const nodes = 'ready cp-1 True\nversion cp-1 v1.36.3\nready w-1 Unknown\nversion w-1 v1.36.3\nready w-2 True\nversion w-2 v1.36.3';

describe('the status of a cluster with a host that could not be read', () => {
  test('says why, what the API has of its node, and nothing of what only the host knows', () => {
    const { 'w-1': silent, 'w-2': other } = status(unreadable(['w-1'], { nodes }));
    expect(silent).toMatchObject({
      node: 'Unknown',
      version: 'v1.36.3',
      units: [],
      summary: 'not read',
      certificates: '-',
      error: { code: 'AUTH_REFUSED', message: 'it refused the login', hint: 'Check the user.' },
    });
    expect(other).toMatchObject({ node: 'Ready', summary: '6/6 active' });
    expect(other).not.toHaveProperty('error');
  });

  test('claims no absent node where nobody told of nodes, or the host’s name is not known', () => {
    expect(Object.values(status(unreadable(['cp-1']))).map(({ node }) => node)).toEqual(['Unknown', 'Unknown', 'Unknown']);
    const nameless = status(unreadable(['w-1'], { nodes, as: (host) => ({ ...host, name: 'w-1', named: false }) }));
    expect(nameless['w-1']!.node).toBe('Unknown');
    expect(status(unreadable(['w-1'], { nodes: 'ready cp-1 True' }))['w-1']!.node).toBe('absent');
  });

  test('is there too when the silent one’s address is only known to itself', () => {
    const addressless = unreadable(['cp-1'], { as: ({ privateAddress: _, ...host }) => ({ ...host, address: 'cp.example.org' }) });
    expect(status(addressless)['w-1']).toMatchObject({ summary: '6/6 active' });
  });
});

describe('drift', () => {
  test('is found on the hosts that were read, and unknown of the other', () => {
    const context = unreadable(['w-1']);
    const w2 = context.states['w-2']!;
    const stopped = { ...w2, units: { ...w2.units, 'kubelet.service': { ...w2.units['kubelet.service']!, active: 'inactive' as const } } };
    const { drift, notCompared } = driftOf(gathered({ ...context, states: { ...context.states, 'w-2': stopped } }));
    expect([drift.map(({ step }) => step), notCompared]).toEqual([['w-2/kubelet/unit'], ['w-1']]);
  });

  test('is unknown of all hosts whose files name one that only it could tell the address of', () => {
    const addressless = unreadable(['cp-1'], { as: ({ privateAddress: _, ...host }) => ({ ...host, address: 'cp.example.org' }) });
    expect(driftOf(gathered(addressless))).toEqual({ drift: [], pending: undefined, notCompared: ['cp-1', 'w-1', 'w-2'] });
  });
});
