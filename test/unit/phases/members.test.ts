import { describe, expect, test } from '@jest/globals';
import { apply } from '../../../playbooks/apply.ts';
import { remove } from '../../../playbooks/remove.ts';
import { join } from '../../../playbooks/join.ts';
import { API_ENDPOINT_UNIT } from '../../../src/components/api-endpoint.ts';
import { makePlan } from '../../../src/engine/plan.ts';
import { emptyState } from '../../../src/engine/state.ts';
import type { Context } from '../../../src/phases/context.ts';
import { knownMembers, MEMBERS_PROBE } from '../../../src/phases/members.ts';
import { NODES_PROBE } from '../../../src/phases/nodes.ts';
import { healthyMembers, refuseLast, refuseUnsafe } from '../../../src/phases/remove.ts';
import { contextOf, statesAfter, stuck } from './context.ts';

/** All three hosts of the fixture are control planes; `members` are those that etcd has. */
function controlPlanes(
  members: readonly string[],
  { data = members, limit }: { data?: readonly string[]; limit?: readonly string[] } = {},
): Context {
  const context = contextOf('', (cluster) => ({
    ...cluster,
    hosts: cluster.hosts.map((host) => ({ ...host, roles: ['control-plane', 'etcd'] })),
  }));
  const { hosts } = context.cluster;
  const list = members.map((name, i) => {
    const { privateAddress } = hosts.find((host) => host.name === name)!;
    return `member, ${i}abc, started, ${name}, https://${privateAddress}:2380, https://${privateAddress}:2379, false`;
  });
  const states = Object.fromEntries(
    hosts.map(({ name }) => [
      name,
      {
        ...emptyState,
        probes: {
          [MEMBERS_PROBE.name]: [...(data.includes(name) ? ['data'] : []), ...(name === members[0] ? list : [])].join('\n'),
          [NODES_PROBE.name]: name === members[0] ? hosts.map((host) => `version ${host.name} v1.36.3`).join('\n') : '',
        },
      },
    ]),
  );
  return { ...context, states, ...(limit ? { limit } : {}) };
}

/** The same where the load balancers run, with another list. */
function running(context: Context): Context {
  const unit = { loaded: true, enabled: true, active: 'active', needsReload: false, restarts: 0, digest: 'old' };
  const withUnit = Object.entries(context.states).map(([name, state]) => [name, { ...state, units: { [API_ENDPOINT_UNIT]: unit } }]);
  return { ...context, observer: 'cp-1', states: Object.fromEntries(withUnit) as Context['states'] };
}

const etcdSteps = (context: Context) =>
  makePlan(apply, context, context.states).steps.filter(({ id }) => /\/etcd\/(add-|promote-|unit|file\/etc\/etcd\/bootstrap)/.test(id));

describe('members of etcd', () => {
  test('of a new cluster start together', () => {
    const steps = etcdSteps(controlPlanes([]));
    expect(steps.filter(({ id }) => /add-|promote-/.test(id))).toEqual([]);
    for (const { action } of steps.filter(({ action: { kind } }) => kind === 'file'))
      expect(action).toMatchObject({ content: { text: expect.stringMatching(/cp-1=.*w-1=.*w-2=[^]*STATE=new/) } });
  });

  test('that come later are learners first, one after the other, and are told who is there already', () => {
    const steps = etcdSteps(controlPlanes(['cp-1']));
    const needs = Object.fromEntries(steps.map(({ id, needs: all }) => [id, all.filter((need) => need.includes('/etcd/'))]));
    expect(needs).toMatchObject({
      'cp-1/etcd/add-w-1': [],
      'w-1/etcd/unit': expect.arrayContaining(['cp-1/etcd/add-w-1']),
      'cp-1/etcd/promote-w-1': ['w-1/etcd/unit'],
      'cp-1/etcd/add-w-2': ['cp-1/etcd/promote-w-1'],
      'cp-1/etcd/promote-w-2': ['w-2/etcd/unit'],
    });
    const told = (host: string): string => {
      const { action } = steps.find(({ id }) => id === `${host}/etcd/file/etc/etcd/bootstrap.env`)!;
      return action.kind === 'file' && 'text' in action.content ? action.content.text : '';
    };
    expect(told('w-1')).toMatch(/CLUSTER=cp-1=[^,]*,w-1=[^,]*\n[^]*STATE=existing/);
    expect(told('w-2')).toMatch(/CLUSTER=cp-1=[^,]*,w-1=[^,]*,w-2=[^,]*\n/);
  });

  test('that lost their data leave before they are added again', () => {
    const steps = etcdSteps(controlPlanes(['cp-1', 'w-1', 'w-2'], { data: ['cp-1', 'w-1'] }));
    const [add] = steps.filter(({ id }) => id === 'cp-1/etcd/add-w-2');
    expect(add!.action).toMatchObject({ script: expect.stringMatching(/member remove 2abc[^]*member add w-2 --learner/) });
  });

  test('are added to no etcd that does not answer', () => {
    const context = controlPlanes([], { data: ['cp-1'] });
    expect(() => etcdSteps(context)).toThrow('w-1, w-2 cannot be added to etcd, which does not answer');
    // The first installation was interrupted: its members were told of each other, and wait.
    const founding = makePlan(apply, controlPlanes([]), {}).steps.filter(({ host }) => host === 'cp-1');
    const states = statesAfter(founding, {});
    states['cp-1'] = { ...states['cp-1']!, probes: { [MEMBERS_PROBE.name]: 'data' } };
    expect(() => etcdSteps({ ...context, states })).not.toThrow();
  });

  test.each([
    ['an id', '0abc;id', 'cp-1', 'https://10.0.0.11:2380'],
    ['a name', '0abc', '$(id)', 'https://10.0.0.11:2380'],
    ['an address', '0abc', 'cp-1', 'https://10.0.0.11:2380`id`'],
  ])('are not taken for such with %s that is none', (_, id, name, url) => {
    const context = controlPlanes(['cp-1']);
    const probes = { [MEMBERS_PROBE.name]: `data\nmember, ${id}, started, ${name}, ${url}, https://10.0.0.11:2379, false` };
    const refused: object = expect.objectContaining({ code: 'MEMBERS_REFUSED', category: 'refused', where: { host: 'cp-1' } });
    expect(() => knownMembers({ ...context, states: { ...context.states, 'cp-1': { ...emptyState, probes } } })).toThrow(refused);
  });
});

const all = ['cp-1', 'w-1', 'w-2'];

describe('a removal', () => {
  const refusal = (context: Context, healthy: readonly string[], dead = false): string => {
    try {
      refuseUnsafe(context, { dead, healthy: new Set(healthy) });
      return '';
    } catch (error) {
      return (error as Error).message;
    }
  };

  test.each([
    ['a healthy one of three', all, 'w-2', all, false, ''],
    ['a dead one of three', all, 'w-2', ['cp-1', 'w-1'], true, ''],
    [
      'a healthy one of three, with another down',
      all,
      'w-1',
      ['cp-1', 'w-1'],
      false,
      'without w-1 etcd would have 1 healthy member of 2, and needs 2',
    ],
    ['a dead one of three, with another down', all, 'w-2', ['cp-1'], true, 'etcd takes no changes: 1 of its 3 members answer, and 2 must'],
    ['a healthy one of two', ['cp-1', 'w-1'], 'w-1', ['cp-1', 'w-1'], false, ''],
    ['a dead one of two', ['cp-1', 'w-1'], 'w-1', ['cp-1'], true, 'etcd takes no changes: 1 of its 2 members answer, and 2 must'],
    ['one that is no member any more', ['cp-1', 'w-1'], 'w-2', ['cp-1', 'w-1'], true, ''],
  ])('of %s', (_, members, leaving, healthy, dead, expected) => {
    expect(refusal(controlPlanes(members, { limit: [leaving] }), healthy, dead)).toBe(expected);
  });

  test('of two members at once names the order', () => {
    expect(refusal(controlPlanes(all, { limit: ['w-1', 'w-2'] }), all)).toBe('w-1, w-2 are etcd members, and only one may leave at a time');
  });

  test('of all control planes is refused', () => {
    const { cluster } = controlPlanes(all);
    expect(() => refuseLast(cluster, all)).toThrow('it would leave no control plane');
    expect(() => refuseLast(cluster, ['w-1', 'w-2'])).not.toThrow();
  });

  test('counts the members that answer', () => {
    const context = controlPlanes(all);
    const [first, second] = context.cluster.hosts.map(({ privateAddress }) => `https://${privateAddress}:2379`);
    const text = JSON.stringify([
      { endpoint: first, health: true },
      { endpoint: second, health: false, error: 'context deadline exceeded' },
    ]);
    expect([...healthyMembers(context, text)]).toEqual(['cp-1']);
    expect([...healthyMembers(context, '')]).toEqual([]);
  });

  test('of a dead host plans nothing there, and lists the API servers anew everywhere else', () => {
    const context = { ...controlPlanes(all, { limit: ['w-2'] }), observer: 'cp-1' };
    const { 'w-2': _, ...facts } = context.facts;
    const { steps } = makePlan(remove({ dead: true, force: false, timeout: 300 }), { ...context, facts }, context.states);
    expect([...new Set(steps.map(({ host }) => host))].sort()).toEqual(['cp-1', 'w-1']);
    expect(steps.map(({ id }) => id)).toEqual(
      expect.arrayContaining([
        'cp-1/remove/drain-w-2',
        'cp-1/remove/leave-etcd-w-2',
        'cp-1/remove/node-w-2',
        'w-1/api-endpoint/file/etc/slipway/api-endpoint/haproxy.cfg',
      ]),
    );
  });

  test('of a live host stops its API server when nobody is sent there any more', () => {
    const context = running(controlPlanes(all, { limit: ['w-2'] }));
    const { steps } = makePlan(remove({ dead: false, force: false, timeout: 300 }), context, context.states);
    const needsOf = (id: string) => steps.find((step) => step.id === id)!.needs;
    expect([...needsOf('w-2/remove/control-plane')].sort()).toEqual([
      'cp-1/api-endpoint/reload',
      'cp-1/remove/drain-w-2',
      'w-1/api-endpoint/reload',
    ]);
    // Leadership goes to the member of the observer.
    const { action } = steps.find(({ id }) => id === 'cp-1/remove/leave-etcd-w-2')!;
    expect(action).toMatchObject({ script: expect.stringMatching(/move-leader 0abc .*[^]*member remove 2abc/) });
    expect(needsOf('w-1/api-endpoint/reload')).toEqual([
      'w-1/api-endpoint/file/etc/slipway/api-endpoint/haproxy.cfg',
      'cp-1/remove/drain-w-2',
    ]);
  });
});

describe('a load balancer that runs', () => {
  test.each([
    ['applied', apply, ['cp-1', 'w-1'], {}],
    ['joined', join, ['cp-1', 'w-1'], { limit: ['w-2'] }],
    ['removed', remove({ dead: false, force: false, timeout: 300 }), all, { limit: ['w-2'] }],
  ])('is waited for by nothing that it waits for, when a control plane is %s', (_, playbook, members, options) => {
    const context = running(controlPlanes(members, options));
    expect(stuck(makePlan(playbook, context, context.states).steps)).toEqual([]);
  });

  test('reads its list again when the API server that is new in it serves, and is not restarted', () => {
    const context = running(controlPlanes(['cp-1', 'w-1'], { limit: ['w-2'] }));
    const steps = makePlan(join, context, context.states).steps.filter(({ host }) => host === 'w-1');
    expect(steps.map(({ id }) => id)).toEqual(['w-1/api-endpoint/file/etc/slipway/api-endpoint/haproxy.cfg', 'w-1/api-endpoint/reload']);
    expect(steps[1]!.needs).toEqual([steps[0]!.id, 'w-2/ready/units']);
  });
});
