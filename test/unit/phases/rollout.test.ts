import { describe, expect, test } from '@jest/globals';
import { apply } from '../../../playbooks/apply.ts';
import { join } from '../../../playbooks/join.ts';
import { repair } from '../../../playbooks/repair.ts';
import { planText } from '../../../src/cli/plan-text.ts';
import { planDocument, planSchema } from '../../../src/cli/plan-document.ts';
import { turnsOf } from '../../../src/engine/turns.ts';
import { makePlan } from '../../../src/engine/plan.ts';
import { emptyState, type HostState } from '../../../src/engine/state.ts';
import type { Step } from '../../../src/engine/step.ts';
import type { Context } from '../../../src/phases/context.ts';
import { MEMBERS_PROBE } from '../../../src/phases/members.ts';
import { contextOf, stuck } from './context.ts';
import { digest, installed } from './installed.ts';

const HOSTS = ['cp-1', 'w-1', 'w-2'];
const COMPONENTS = ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler'];
const FLAGS = `  components: { ${COMPONENTS.map((name) => `${name}: { args: { some-flag: 7 } }`).join(', ')} }`;

/** All three hosts of the fixture are control planes: installed without flags, and to be what `spec` says. */
function controlPlanes(spec: string, change: Record<string, (state: HostState) => HostState> = {}): Context {
  const context = (text: string): Context =>
    contextOf(text, (cluster) => ({ ...cluster, hosts: cluster.hosts.map((host) => ({ ...host, roles: ['control-plane', 'etcd'] })) }));
  const { states } = installed(context(''));
  const members = context('').cluster.hosts.map(({ name, privateAddress }, i) => ({ name, privateAddress, i }));
  const list = members.map(
    ({ name, privateAddress: at, i }) => `member, ${i}abc, started, ${name}, https://${at}:2380, https://${at}:2379, false`,
  );
  const changed = Object.entries(states).map(([name, state]) => {
    const probes = { ...state.probes, [MEMBERS_PROBE.name]: ['data', ...list].join('\n') };
    return [name, (change[name] ?? ((same) => same))({ ...state, probes })] as const;
  });
  return { ...installed(context(spec)).context, states: Object.fromEntries(changed) };
}

const stepsOf = (context: Context, playbook = apply): readonly Step[] => makePlan(playbook, context, context.states).steps;
const unit =
  (name: string, active: string) =>
  (state: HostState): HostState => ({ ...state, units: { ...state.units, [name]: { ...state.units[name]!, active } } });

/** Those of the ids that may begin before the one that stands before them is done. */
function early(steps: readonly Step[], ids: readonly string[]): string[] {
  const lanes = new Map<string, string>();
  const waitsFor = new Map<string, readonly string[]>();
  for (const { id, host, lane, needs } of steps) {
    const last = lanes.get(`${host} ${lane}`);
    waitsFor.set(id, last === undefined ? needs : [...needs, last]);
    lanes.set(`${host} ${lane}`, id);
  }
  const reach = (id: string, seen = new Set<string>()): Set<string> => {
    for (const need of waitsFor.get(id)!) if (!seen.has(need)) reach(need, seen.add(need));
    return seen;
  };
  return ids.filter((id, i) => i > 0 && !reach(id).has(ids[i - 1]!));
}

const gates = (steps: readonly Step[]): string[] => steps.filter(({ id }) => id.endsWith('/serves')).map(({ id }) => id);

describe('what serves', () => {
  test('is restarted host by host, each behind the health of the one before, and without a deadlock', () => {
    const steps = stepsOf(controlPlanes(FLAGS));
    const units = HOSTS.flatMap((host) => COMPONENTS.map((name) => `${host}/${name}/unit`));
    const all = units.flatMap((id) => [id, id.replace(/unit$/, 'serves')]);
    expect(early(steps, all)).toEqual([]);
    expect(stuck(steps)).toEqual([]);
  });

  test.each(COMPONENTS)('waits for nothing but %s when that alone has another setting', (name) => {
    const steps = stepsOf(controlPlanes(`  components: { ${name}: { args: { some-flag: 7 } } }`));
    const units = HOSTS.flatMap((host) => [`${host}/${name}/unit`, `${host}/${name}/serves`]);
    expect(gates(steps)).toEqual(units.filter((id) => id.endsWith('serves')));
    expect(early(steps, units)).toEqual([]);
  });

  test('keeps its order when the host between is as it should be', () => {
    const done = controlPlanes(FLAGS);
    const between = installed({ ...done, states: {} }).states['w-1']!;
    const states = { ...done.states, 'w-1': { ...between, probes: done.states['w-1']!.probes } };
    const steps = stepsOf({ ...done, states });
    expect(gates(steps).filter((id) => id.startsWith('w-1/'))).toEqual([]);
    expect(steps.find(({ change }) => change === 'w-2/control-plane')!.needs).toContain('cp-1/kube-scheduler/serves');
  });

  test('waits for what is down, which starts at once', () => {
    const steps = stepsOf(controlPlanes(FLAGS, { 'w-2': unit('etcd.service', 'failed') }));
    const ids = ['w-2/etcd/unit', 'w-2/etcd/serves', 'cp-1/etcd/unit', 'cp-1/etcd/serves', 'w-1/etcd/unit'];
    expect(early(steps, ids)).toEqual([]);
    expect(steps.find(({ id }) => id === 'w-2/etcd/unit')!.needs).toEqual([]);
    expect(stuck(steps)).toEqual([]);
  });

  test('does not wait for itself when nothing of it is up', () => {
    const stopped = (state: HostState) => unit('etcd.service', 'activating')(unit('kube-apiserver.service', 'activating')(state));
    const steps = stepsOf(controlPlanes(FLAGS, { 'cp-1': stopped, 'w-1': stopped, 'w-2': stopped }));
    for (const host of HOSTS)
      for (const name of ['etcd', 'kube-apiserver']) expect(steps.find(({ id }) => id === `${host}/${name}/unit`)!.needs).toEqual([]);
    expect(stuck(steps)).toEqual([]);
  });

  test('takes the API server down before its member of etcd, which hands its leadership over, and brings it back with its own settings', () => {
    const change = stepsOf(controlPlanes(FLAGS)).filter((step) => step.change === 'cp-1/control-plane');
    const unitFiles = ['/usr/lib/systemd/system/etcd.service', ...COMPONENTS.slice(1).map((name) => `/etc/systemd/system/${name}.service`)];
    expect(change.map(({ id }) => id)).toEqual([
      ...COMPONENTS.map((name, i) => `cp-1/${name}/file${unitFiles[i]}`),
      'cp-1/etcd/leadership',
      ...COMPONENTS.flatMap((name) => [`cp-1/${name}/unit`, `cp-1/${name}/serves`]),
    ]);
    expect(change[COMPONENTS.length + 1]!.action).toMatchObject({ clients: ['kube-apiserver.service'] });
  });

  test('keeps what it runs from until its turn', () => {
    const steps = stepsOf(controlPlanes(FLAGS));
    const change = steps.filter((step) => step.change === 'w-1/control-plane');
    for (const name of COMPONENTS) {
      const own = steps.filter((step) => step.id.startsWith(`w-1/${name}/`));
      expect(own.map(({ action }) => action.kind)).toEqual(expect.arrayContaining(['file', 'unit', 'wait']));
      expect(change).toEqual(expect.arrayContaining(own));
    }
    const files = HOSTS.flatMap((host) => [
      `${host}/kube-apiserver/file/etc/systemd/system/kube-apiserver.service`,
      `${host}/kube-scheduler/serves`,
    ]);
    expect(early(steps, files)).toEqual([]);
  });

  test('has no gates, and nothing waits, where nothing serves yet', () => {
    const fresh = contextOf(FLAGS, (cluster) => ({
      ...cluster,
      hosts: cluster.hosts.map((host) => ({ ...host, roles: ['control-plane', 'etcd'] })),
    }));
    const steps = makePlan(apply, fresh, {}).steps;
    expect(gates(steps)).toEqual([]);
    expect(steps.filter(({ lane }) => lane === 'rollout')).toEqual([]);
  });

  test('is given back at once what it runs from and hands have taken, with nothing to put back; restarts have their turns', () => {
    const unitFile = '/etc/systemd/system/kube-apiserver.service';
    const without = (state: HostState): HostState => ({
      ...state,
      files: Object.fromEntries(Object.entries(state.files).filter(([path]) => path !== unitFile)),
    });
    const steps = stepsOf(controlPlanes('', { 'w-1': without }));
    const file = steps.find(({ id }) => id === `w-1/kube-apiserver/file${unitFile}`)!;
    expect([file.lane, file.change, file.needs]).toEqual(['main', undefined, []]);
    expect(steps.filter(({ change }) => change !== undefined)).toEqual([]);
    const units = ['w-1/kube-apiserver/unit', 'w-1/kube-apiserver/serves'];
    expect([gates(steps), early(steps, [file.id, ...units])]).toEqual([[units[1]], []]);
    // The others have their turn as ever.
    const both = stepsOf(controlPlanes(FLAGS, { 'w-1': without }));
    expect(new Set(both.flatMap(({ host, change }) => (change === undefined ? [] : [host])))).toEqual(new Set(['cp-1', 'w-2']));
    expect(stuck(both)).toEqual([]);
  });

  test('is told in the plan’s document', () => {
    const context = controlPlanes(FLAGS);
    const plan = makePlan(apply, context, context.states);
    const { steps } = planSchema.parse(planDocument(plan, { cluster: 'prod', diffs: {}, scope: { limit: [], skipPhase: [] } }));
    expect(new Set(steps.flatMap(({ change = [] }) => change))).toEqual(new Set(HOSTS.map((host) => `${host}/control-plane`)));
  });

  test('is no matter where nothing is to be changed', () => {
    expect(gates(stepsOf(controlPlanes('')))).toEqual([]);
  });
});

describe('no steps wait for each other', () => {
  const everythingDiffers = (state: HostState): HostState => ({
    ...state,
    files: Object.fromEntries(Object.entries(state.files).map(([path, found]) => [path, { ...found, sha256: digest('9') }])),
    links: Object.fromEntries(Object.keys(state.links).map((path) => [path, 'elsewhere'])),
    directories: Object.fromEntries(Object.entries(state.directories).map(([path, found]) => [path, { ...found, mode: '0777' }])),
    units: Object.fromEntries(Object.entries(state.units).map(([name, found]) => [name, { ...found, digest: 'other' }])),
  });
  const anew = (state: HostState): HostState => ({
    ...emptyState,
    probes: { [MEMBERS_PROBE.name]: state.probes[MEMBERS_PROBE.name]!.replace('data\n', '') },
  });
  const member =
    (name: string) =>
    (state: HostState): HostState => ({
      ...state,
      probes: {
        ...state.probes,
        [MEMBERS_PROBE.name]: state.probes[MEMBERS_PROBE.name]!.split('\n')
          .filter((line) => !line.includes(` ${name},`))
          .join('\n'),
      },
    });
  const all = { 'cp-1': everythingDiffers, 'w-1': everythingDiffers, 'w-2': everythingDiffers };
  const joining = {
    'cp-1': (state: HostState) => member('w-2')(everythingDiffers(state)),
    'w-1': (state: HostState) => member('w-2')(everythingDiffers(state)),
    'w-2': (state: HostState) => member('w-2')(anew(state)),
  };

  test.each<[string, Context, typeof apply]>([
    ['when everything differs', controlPlanes(FLAGS, all), apply],
    ['when everything differs, and is drift', controlPlanes('', all), repair],
    ['when a control plane is new', controlPlanes(FLAGS, joining), apply],
    ['when a control plane joins', { ...controlPlanes(FLAGS, joining), limit: ['w-2'], observer: 'cp-1' }, join],
    ['when two of three hosts are planned', { ...controlPlanes(FLAGS, all), limit: ['w-1', 'w-2'] }, apply],
    ...apply.phases.map((skipped): [string, Context, typeof apply] => [
      `without ${skipped.id}`,
      controlPlanes(FLAGS, all),
      { ...apply, skip: [skipped.id] },
    ]),
  ])('%s', (_, context, playbook) => {
    const steps = stepsOf(context, playbook);
    expect(steps.length).toBeGreaterThan(0);
    expect(stuck(steps)).toEqual([]);
  });
});

describe('a member of etcd', () => {
  const away = (...names: string[]): Context => {
    const context = controlPlanes(FLAGS);
    const limit = HOSTS.filter((name) => !names.includes(name));
    const read = <T>(all: Readonly<Record<string, T>>): Record<string, T> => Object.fromEntries(limit.map((name) => [name, all[name]!]));
    return { ...context, limit, facts: read(context.facts), states: read(context.states) };
  };

  test('is not restarted while another one that is away takes etcd to the edge of its quorum', () => {
    expect(() => stepsOf(away('w-2'))).toThrow(
      expect.objectContaining({
        code: 'QUORUM_AT_RISK',
        message: 'etcd on cp-1 cannot be restarted while w-2 does not answer',
        hint: expect.stringContaining('etcd has 3 members and needs 2: bring w-2 back'),
      }),
    );
  });

  test('is restarted where there is no quorum to lose', () => {
    expect(gates(stepsOf(away('w-1', 'w-2')))).toContain('cp-1/etcd/serves');
  });

  test('of others than those that are to be changed counts when it serves', () => {
    const context = controlPlanes(FLAGS);
    expect(gates(stepsOf({ ...context, limit: ['cp-1'] }))).toContain('cp-1/etcd/serves');
    const { context: down } = { context: controlPlanes(FLAGS, { 'w-2': unit('etcd.service', 'failed') }) };
    expect(() => stepsOf({ ...down, limit: ['cp-1'] })).toThrow(expect.objectContaining({ code: 'QUORUM_AT_RISK' }));
  });
});

const NODE_COMPONENTS = ['api-endpoint', 'containerd', 'kubelet', 'flanneld', 'kube-proxy', 'slipway-forwarding'];

/** A control plane and two workers, installed without flags, and to be what `spec` says. */
function nodes(spec: string, change: Record<string, (state: HostState) => HostState> = {}): Context {
  const { states } = installed(contextOf(''));
  const changed = Object.entries(states).map(([name, state]) => [name, (change[name] ?? ((same) => same))(state)] as const);
  return { ...installed(contextOf(spec)).context, states: Object.fromEntries(changed) };
}

const KUBELET_FLAG = '  components: { kubelet: { args: { v: 3 } } }';
const order = (context: Context): string[][] =>
  turnsOf(makePlan(apply, context, context.states)).flatMap(({ kind, hosts }) => hosts.map((each) => [kind, ...each]));

describe('nodes that serve', () => {
  test('are changed one alone first, then in batches of as many as may be away', () => {
    expect(order(nodes(KUBELET_FLAG))).toEqual(HOSTS.map((host) => ['node', host]));
    expect(order(nodes(`${KUBELET_FLAG}\n  rollout: { maxUnavailable: 2 }`))).toEqual([
      ['node', 'cp-1'],
      ['node', 'w-1', 'w-2'],
    ]);
    expect(order(nodes(`${KUBELET_FLAG}\n  rollout: { maxUnavailable: 50% }`))).toEqual(HOSTS.map((host) => ['node', host]));
    expect(order(nodes(`${KUBELET_FLAG}\n  rollout: { maxUnavailable: 70% }`))).toEqual([
      ['node', 'cp-1'],
      ['node', 'w-1', 'w-2'],
    ]);
  });

  test('and the plan says so', () => {
    const flags = '  components: { kubelet: { args: { v: 3 } }, kube-apiserver: { args: { v: 3 } } }\n  rollout: { maxUnavailable: 2 }';
    const context = nodes(flags);
    const text = planText(makePlan(apply, context, context.states), { paint: (_, words) => words, details: false });
    expect(text).toContain(`
What serves is changed in turns, each when all before it serve again:
  control-plane: cp-1; the API is away for some seconds
  node: cp-1, then w-1 and w-2; pods go on running
`);
  });

  test('have their turn when the control planes have had theirs, and are looked at through the API in between', () => {
    const steps = stepsOf(nodes(`  components: { kubelet: { args: { v: 3 } }, kube-apiserver: { args: { v: 3 } } }`));
    const gates = HOSTS.flatMap((host, i) => [`${host}/kubelet/unit`, `${host}/ready/units`, `cp-1/ready/batch-${i + 1}`]);
    expect(early(steps, ['cp-1/kube-apiserver/serves', 'cp-1/ready/batch-0', ...gates])).toEqual([]);
    expect(stuck(steps)).toEqual([]);
  });

  test('replace all that differs together, and restart each unit once', () => {
    const flags = ['containerd', 'kubelet', 'flanneld', 'kube-proxy'].map((name) => `${name}: { args: { v: 3 } }`).join(', ');
    const change = stepsOf(nodes(`  components: { ${flags} }`)).filter((step) => step.change === 'w-1/node');
    expect(change.map(({ action }) => action.kind)).toEqual([...Array(4).fill('file'), ...Array(4).fill('unit'), 'wait']);
    expect(change.at(-1)!.action).toMatchObject({ units: NODE_COMPONENTS.map((name) => `${name}.service`) });
    // Everything that it must wait for is waited for before anything is touched.
    expect(change.slice(1).flatMap(({ needs }) => needs)).toEqual([]);
    expect(change[0]!.needs).toContain('cp-1/ready/batch-1');
  });

  test('are no concern of one that is down: it is started at once', () => {
    const context = nodes(`${KUBELET_FLAG}\n  rollout: { maxUnavailable: 2 }`, { 'w-1': unit('kubelet.service', 'failed') });
    expect(order(context)).toEqual([
      ['node', 'cp-1'],
      ['node', 'w-2'],
    ]);
    const steps = stepsOf(context);
    expect(steps.find(({ id }) => id === 'w-1/kubelet/unit')).toMatchObject({ lane: 'main', needs: [] });
  });

  test('get another backend of flannel all at once, and the plan says what that means', () => {
    const context = nodes('  network: { flannel: { backend: host-gw } }');
    const backends = HOSTS.map((name) => `backend ${name} vxlan`).join('\n');
    const told = context.states['cp-1']!.probes['nodes']!;
    const states = {
      ...context.states,
      'cp-1': { ...context.states['cp-1']!, probes: { ...context.states['cp-1']!.probes, nodes: `${told}\n${backends}` } },
    };
    const plan = makePlan(apply, { ...context, states }, states);
    const restarts = plan.steps.filter(({ id }) => id.endsWith('/flanneld/unit'));
    expect(restarts.map(({ change, lane, needs }) => [change, lane, needs])).toEqual(HOSTS.map(() => [undefined, 'main', []]));
    expect(planText(plan, { paint: (_, words) => words, details: false })).toContain(
      'At once on cp-1, w-1 and w-2: pods on different nodes do not reach each other until all have the new backend.',
    );
  });

  test('have no turns where nothing differs, nothing is restarted, or nothing serves yet', () => {
    expect(stepsOf(nodes(''))).toEqual([]);
    const mode = (state: HostState): HostState => {
      const path = '/var/lib/kubelet/config.yaml';
      return { ...state, files: { ...state.files, [path]: { ...state.files[path]!, mode: '0666' } } };
    };
    expect(stepsOf(nodes('', { 'w-1': mode })).map(({ id, change }) => [id, change])).toEqual([
      ['w-1/kubelet/file/var/lib/kubelet/config.yaml', undefined],
    ]);
    const fresh = contextOf(KUBELET_FLAG);
    expect(makePlan(apply, fresh, {}).steps.filter(({ lane, change }) => lane === 'gates' || change !== undefined)).toEqual([]);
  });

  test('have their turns in repair too, of their own drift only', () => {
    const disabled = (state: HostState): HostState => {
      const { units } = state;
      return { ...state, units: { ...units, 'kubelet.service': { ...units['kubelet.service']!, digest: 'another' } } };
    };
    const context = nodes('  components: { kube-proxy: { args: { v: 3 } } }', { 'w-2': disabled });
    expect(stepsOf(context, repair).map(({ id }) => id)).toEqual([
      'w-2/kubelet/unit',
      'w-2/ready/units',
      'cp-1/ready/batch-2',
      'cp-1/ready/batch-3',
    ]);
  });
});
