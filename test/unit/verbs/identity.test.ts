import { describe, expect, test } from '@jest/globals';
import type { ClusterTraces } from '../../../src/facts/facts.ts';
import type { Context } from '../../../src/phases/context.ts';
import { idFrom } from '../../../src/phases/identity.ts';
import { identityProblem, type IdentityOptions } from '../../../src/verbs/guards/identity.ts';
import { contextOf } from '../phases/context.ts';
import { digest, installed } from '../phases/installed.ts';

const AUTHORITY = digest('c');
const OURS = 'a1'.repeat(16);
const THEIRS = 'b2'.repeat(16);

/** The installed cluster, with what each host says of its own. */
function context(traces: Record<string, ClusterTraces | undefined>, change: Partial<Context> = {}): Context {
  const { context: known } = installed(contextOf());
  const facts = Object.fromEntries(Object.entries(known.facts).map(([name, own]) => [name, { ...own, cluster: traces[name] }]));
  return { ...known, facts, clusterId: OURS, ...change };
}

const fresh: Partial<Context> = { clusterId: undefined, inventory: { authorities: {}, certificates: {}, secrets: {} } };

function problem(of: Context, options: Partial<IdentityOptions> = {}): string | undefined {
  const found = identityProblem(of, { directory: '/home/op/kubernetes.state', ...options });
  return found && `${found.code} ${found.message}`;
}

describe('hosts and the state directory', () => {
  test('without anything on the hosts anything may be made', () => {
    expect(problem(context({}, fresh))).toBeUndefined();
    expect(problem(context({}))).toBeUndefined();
  });

  test('the id counts, whatever the names and authorities', () => {
    expect(problem(context({ 'w-1': { name: 'other', id: OURS, authority: digest('f') } }))).toBeUndefined();
    expect(problem(context({ 'w-1': { name: 'kubernetes', id: THEIRS, authority: AUTHORITY } }))).toBe(
      `CLUSTER_FOREIGN w-1 belongs to another cluster, kubernetes (id ${THEIRS}); this one's id is ${OURS}`,
    );
  });

  test('a host that was installed before there were ids is known by its authority', () => {
    const before = { clusterId: undefined };
    expect(problem(context({ 'cp-1': { name: 'kubernetes', authority: AUTHORITY } }, before))).toBeUndefined();
    expect(problem(context({ 'cp-1': { name: 'kubernetes', authority: AUTHORITY } }))).toBeUndefined();
    expect(problem(context({ 'cp-1': { name: 'kubernetes', id: idFrom(AUTHORITY) } }, before))).toBeUndefined();
    expect(problem(context({ 'cp-1': { name: 'kubernetes', authority: digest('f') } }, before))).toBe(
      `CLUSTER_FOREIGN cp-1 belongs to another cluster, kubernetes (id ${idFrom(digest('f'))}); this one's id is ${idFrom(AUTHORITY)}`,
    );
  });

  test('a missing directory over a running cluster', () => {
    const traces = { name: 'prod', id: THEIRS };
    expect(problem(context({ 'cp-1': traces, 'w-1': traces }, fresh))).toBe(
      `CLUSTER_STATE_MISSING cp-1 and w-1 are part of a running cluster, prod (id ${THEIRS}), and /home/op/kubernetes.state has none of its keys`,
    );
  });

  test('an installation that ended before its authorities reached the host goes on', () => {
    const { name } = context({}).cluster;
    expect(problem(context({ 'cp-1': { name } }, { ...fresh, states: {} }))).toBeUndefined();
    expect(problem(context({ 'cp-1': { name: 'staging' } }, fresh))).toContain(
      'CLUSTER_STATE_MISSING cp-1 is part of a running cluster, staging,',
    );
  });

  test('a directory without an authority that hosts trust', () => {
    const { context: known } = installed(contextOf());
    const files = { '/etc/etcd/pki/ca.crt': { sha256: digest('e'), mode: '0600', owner: 'etcd:etcd' } };
    const states = { ...known.states, 'cp-1': { ...known.states['cp-1']!, files } };
    const { etcd: _, ...authorities } = known.inventory.authorities;
    const partial = { states, inventory: { ...known.inventory, authorities } };
    expect(problem(context({ 'cp-1': { id: OURS } }, partial))).toBe(
      'CLUSTER_STATE_INCOMPLETE /home/op/kubernetes.state lacks the etcd authority, which cp-1 trusts',
    );
  });

  test('the id that somebody types opens the hosts of that cluster only, and never to keys that are not there', () => {
    const theirs = { 'w-1': { id: THEIRS } };
    expect(problem(context(theirs), { accepted: THEIRS })).toBeUndefined();
    expect(problem(context(theirs), { accepted: 'c3'.repeat(16) })).toContain('CLUSTER_FOREIGN');
    expect(problem(context(theirs, fresh), { accepted: THEIRS })).toContain('CLUSTER_STATE_MISSING');
    expect(problem(context(theirs, fresh), { accepted: THEIRS, undoing: true })).toBeUndefined();
  });

  test('what takes hosts apart looks at those alone', () => {
    const both = context({ 'w-1': { id: OURS }, 'w-2': { id: THEIRS } }, { limit: ['w-1'] });
    expect(problem(both, { undoing: true })).toBeUndefined();
    expect(problem(both)).toContain('CLUSTER_FOREIGN w-2 belongs');
  });
});
