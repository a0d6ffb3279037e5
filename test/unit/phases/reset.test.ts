import { describe, expect, test } from '@jest/globals';
import { isSlipwayError } from '../../../src/base/errors.ts';
import type { Host } from '../../../src/config/cluster.ts';
import { emptyState } from '../../../src/engine/state.ts';
import { hostsToRead } from '../../../src/phases/gather.ts';
import { MEMBERS_PROBE } from '../../../src/phases/members.ts';
import { NODES_PROBE } from '../../../src/phases/nodes.ts';
import { cautions } from '../../../src/phases/reset/limited.ts';
import { clusterOf } from '../preflight/hosts.ts';
import { contextOf } from './context.ts';

const all = ['cp-1', 'w-1', 'w-2'];

interface Situation {
  /** Members of etcd, told by the first of them; none: it does not answer. */
  members?: readonly string[];
  /** Nodes that are Ready as the API has them; none: it does not answer. */
  ready?: readonly string[];
  /** Those with the roles of a control plane; the others are workers. */
  controlPlanes?: readonly string[];
  /** Members that answer. */
  healthy?: readonly string[];
  /** Hosts where the unit of etcd is active. */
  etcd?: readonly string[];
}

/** What a reset of these hosts is told: `refused: ...`, or the hosts that are warned of. */
function said(limit: readonly string[], situation: Situation): string[] {
  const { members = all, ready = all, controlPlanes = all, healthy = members, etcd = members } = situation;
  const context = contextOf('', (cluster) => ({
    ...cluster,
    hosts: cluster.hosts.map((host): Host => ({
      ...host,
      roles: controlPlanes.includes(host.name) ? ['control-plane', 'etcd'] : ['worker'],
    })),
  }));
  const address = (name: string): string => context.cluster.hosts.find((host) => host.name === name)!.privateAddress!;
  const list = members.map((name, i) => `member, ${i}abc, started, ${name}, https://${address(name)}:2380, x, false`).join('\n');
  const observer = controlPlanes[0];
  const unit = { loaded: true, enabled: true, active: 'active', needsReload: false, restarts: 0, digest: '' };
  const states = context.cluster.hosts.map(({ name }) => [
    name,
    {
      ...emptyState,
      units: etcd.includes(name) ? { 'etcd.service': unit } : {},
      probes:
        name === observer ? { [MEMBERS_PROBE.name]: list, [NODES_PROBE.name]: ready.map((node) => `ready ${node} True`).join('\n') } : {},
    },
  ]);
  try {
    const found = cautions({ ...context, limit, states: Object.fromEntries(states) }, new Set(healthy));
    return found.map(({ host, message }) => `${host}: ${message}`);
  } catch (error) {
    if (!isSlipwayError(error) || error.category !== 'refused') throw error;
    return [`refused: ${error.message}`];
  }
}

const counted = 'etcd goes on counting it as one of its 3 members';
const node = 'it is a node of the running cluster, which loses its pods at once';

describe('a reset of some hosts', () => {
  test.each<[string, readonly string[], Situation, string[]]>([
    ['two of three control planes', ['cp-1', 'w-1'], {}, ['refused: without cp-1, w-1 etcd would have 1 of its 3 members, and needs 2']],
    ['one of three', ['w-1'], {}, [`w-1: ${counted}`]],
    [
      'one of three, with another down',
      ['w-1'],
      { healthy: ['cp-1', 'w-1'] },
      ['refused: without w-1 etcd would have 1 of its 3 members, and needs 2'],
    ],
    ['the one of three that is down', ['w-2'], { healthy: ['cp-1', 'w-1'], ready: ['cp-1', 'w-1'] }, [`w-2: ${counted}`]],
    ['one of two', ['w-1'], { members: ['cp-1', 'w-1'] }, ['refused: without w-1 etcd would have 1 of its 2 members, and needs 2']],
    ['a control plane that left etcd', ['w-2'], { members: ['cp-1', 'w-1'], ready: ['cp-1', 'w-1'] }, []],
    ['a control plane whose etcd never started', ['w-2'], { members: [], ready: [], etcd: [] }, []],
    ['one of three where etcd lost its quorum', ['w-2'], { healthy: ['w-2'], ready: [] }, [`w-2: ${counted}`]],
    [
      'one whose etcd runs, where none can be asked',
      ['w-2'],
      { members: [], ready: [], etcd: ['w-2'] },
      ['w-2: etcd runs there, and no control plane that answers tells whether the others have a quorum without it'],
    ],
    [
      'the only control plane',
      ['cp-1'],
      { members: ['cp-1'], controlPlanes: ['cp-1'] },
      ['refused: with cp-1 the whole cluster goes, and w-1, w-2 would stay behind in it'],
    ],
    ['all hosts but a dead one', ['cp-1', 'w-1'], { members: ['cp-1'], controlPlanes: ['cp-1'], ready: ['cp-1', 'w-1'] }, []],
    ['all hosts by their names', all, {}, []],
    ['the only control plane, dead', ['cp-1'], { members: [], ready: [], etcd: [], controlPlanes: ['cp-1'] }, []],
    ['a worker of the cluster', ['w-2'], { members: ['cp-1'], controlPlanes: ['cp-1'] }, [`w-2: ${node}`]],
    ['a worker whose node is gone', ['w-2'], { members: ['cp-1'], controlPlanes: ['cp-1'], ready: ['cp-1', 'w-1'] }, []],
  ])('%s', (_, limit, situation, expected) => {
    expect(said(limit, situation)).toEqual(expected);
  });

  test('reads these hosts, and needs none of the others', () => {
    const cluster = clusterOf();
    // Its name and private address are known to itself alone.
    const hosts = cluster.hosts.map((host) => (host.name === 'cp-1' ? { ...host, address: 'cp-1.example', named: false } : host));
    const { needed, useful, observers } = hostsToRead({ ...cluster, hosts }, ['w-1'], { beside: 'servers' });
    const names = (found: readonly Host[]): string[] => found.map(({ name }) => name);
    expect([names(needed), names(useful), names(observers)]).toEqual([['w-1'], ['cp-1'], []]);
  });
});
