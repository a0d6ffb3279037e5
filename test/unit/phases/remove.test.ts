import { describe, expect, test } from '@jest/globals';
import { remove } from '../../../playbooks/remove.ts';
import { makePlan } from '../../../src/engine/plan.ts';
import { emptyState } from '../../../src/engine/state.ts';
import type { Step } from '../../../src/engine/step.ts';
import type { Host } from '../../../src/config/cluster.ts';
import type { Context } from '../../../src/phases/context.ts';
import { explainDrain } from '../../../src/phases/drain.ts';
import { MEMBERS_PROBE } from '../../../src/phases/members.ts';
import { NODES_PROBE } from '../../../src/phases/nodes.ts';
import { OURS_PROBE } from '../../../src/phases/reset/scripts.ts';
import { contextOf, stuck } from './context.ts';

const removal = { dead: false, force: false, timeout: 300 };

/** cp-1, w-1 and w-2 as a cluster that runs; `nodes` are those that the API still has. */
function running(limit: readonly string[], roles: Host['roles'] = ['worker'], nodes = ['cp-1', 'w-1', 'w-2']): Context {
  const context = contextOf('', (cluster) => ({
    ...cluster,
    hosts: cluster.hosts.map((host) => (host.name === 'cp-1' ? host : { ...host, roles })),
  }));
  const { hosts } = context.cluster;
  const members = hosts
    .filter((host) => host.roles.includes('etcd'))
    .map(({ name, privateAddress }, i) => `member, ${i}abc, started, ${name}, https://${privateAddress}:2380, x, false`);
  const unit = { loaded: true, enabled: true, active: 'active', needsReload: false, restarts: 0, digest: 'old' };
  const states = hosts.map(({ name }) => [
    name,
    {
      ...emptyState,
      units: { 'kubelet.service': unit, 'api-endpoint.service': unit },
      probes: {
        [OURS_PROBE.name]: 'path /opt/slipway\npath /var/lib/slipway/owned\npackage haproxy',
        [MEMBERS_PROBE.name]: name === 'cp-1' ? members.join('\n') : '',
        [NODES_PROBE.name]: name === 'cp-1' ? nodes.map((node) => `version ${node} v1.36.3`).join('\n') : '',
      },
    },
  ]);
  return { ...context, observer: 'cp-1', limit, states: Object.fromEntries(states) as Context['states'] };
}

const planOf = (context: Context): readonly Step[] => makePlan(remove(removal), context, context.states).steps;

/** Everything that a step waits for, directly or not. */
function neededBy(steps: readonly Step[], id: string): Set<string> {
  const found = new Set<string>();
  const follow = (one: string): void => {
    for (const need of steps.find((step) => step.id === one)!.needs) if (!found.has(need)) follow((found.add(need), need));
  };
  follow(id);
  return found;
}

describe('a removal', () => {
  test.each<[string, Host['roles']]>([
    ['a worker', ['worker']],
    ['a control plane', ['control-plane', 'etcd']],
  ])('of %s does nothing anywhere before it is drained', (_, roles) => {
    const steps = planOf(running(['w-2'], roles));
    expect(steps.filter(({ host }) => host === 'w-2').length).toBeGreaterThanOrEqual(7);
    const early = steps.filter(({ id }) => id !== 'cp-1/remove/drain-w-2' && !neededBy(steps, id).has('cp-1/remove/drain-w-2'));
    expect(early.map(({ id }) => id)).toEqual([]);
    expect(stuck(steps)).toEqual([]);
  });

  test('of several hosts waits on each for its own drain alone', () => {
    const steps = planOf(running(['w-1', 'w-2']));
    const drained = (host: string): string[] =>
      steps
        .filter((step) => (step.concerns ?? step.host) === host)
        .map(({ id }) => [...neededBy(steps, id), id].filter((need) => need.includes('/drain-')).join());
    expect(new Set(drained('w-1'))).toEqual(new Set(['cp-1/remove/drain-w-1']));
    expect(new Set(drained('w-2'))).toEqual(new Set(['cp-1/remove/drain-w-2']));
  });

  // Whatever starts the host again would else find a bridge with the subnet of a node that is gone.
  test('deletes the node when its pod network is gone, and forgets the host when the cluster has', () => {
    const steps = planOf(running(['w-2']));
    expect(neededBy(steps, 'cp-1/remove/node-w-2')).toContain('w-2/reset/network');
    expect([...neededBy(steps, 'w-2/reset/record')]).toEqual(
      expect.arrayContaining(['cp-1/remove/drain-w-2', 'w-2/reset/units', 'w-2/reset/network', 'cp-1/remove/node-w-2']),
    );
  });

  test('goes on where the node is deleted already, and where nothing is on the host any more', () => {
    const context = running(['w-2'], ['worker'], ['cp-1', 'w-1']);
    expect(planOf(context).map(({ id }) => id.replace('w-2/reset/', ''))).toEqual(
      ['units', 'containers', 'network', 'packages', 'files', 'system', 'record'], //
    );
    expect(planOf({ ...context, states: { ...context.states, 'w-2': emptyState } })).toEqual([]);
  });

  test('waits for no word of a kubelet that was stopped', () => {
    const script = (context: Context): string => {
      const { action } = planOf(context)[0]!;
      return action.kind === 'script' ? action.script : '';
    };
    const context = running(['w-2']);
    expect(script(context)).not.toContain('--skip-wait-for-delete-timeout');
    expect(script({ ...context, states: { ...context.states, 'w-2': emptyState } })).toContain('--skip-wait-for-delete-timeout');
  });
});

describe('a drain that failed', () => {
  const failed = (...left: string[]): string =>
    ['node/w-1 cordoned', 'error when evicting', 'error when evicting', 'w-1 was not drained, and stays cordoned:', ...left].join('\n');

  test('names what is left, and what would let it go', () => {
    const explained = explainDrain(
      failed(
        'default/one may not be evicted: the disruption budget one wants 1 healthy pods, and there are 1',
        'default/bare has no controller that would start it again elsewhere',
      ),
    )!;
    expect(explained.code).toBe('DRAIN_FAILED');
    expect(explained.evidence.split('\n')).toEqual([expect.stringContaining('budget one'), expect.stringContaining('default/bare')]);
    expect(explained.hint).toMatch(/^w-1 stays cordoned, and nothing else was done to it: .*budgets.*--force.*kubectl uncordon w-1/);
  });

  test('for another reason is told in the words of kubectl, and not with --force', () => {
    const explained = explainDrain(failed())!;
    expect(explained.evidence).toBe('node/w-1 cordoned\nerror when evicting');
    expect(explained.hint).not.toContain('--force');
  });

  test('is nothing else', () => {
    expect(explainDrain('kubelet.service is failed, its last words:')).toBeUndefined();
  });
});
