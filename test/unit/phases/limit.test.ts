import { describe, expect, test } from '@jest/globals';
import { apply } from '../../../playbooks/apply.ts';
import { SlipwayError } from '../../../src/base/errors.ts';
import type { Host } from '../../../src/config/cluster.ts';
import type { EngineEvent } from '../../../src/engine/events.ts';
import { makePlan } from '../../../src/engine/plan.ts';
import { emptyState } from '../../../src/engine/state.ts';
import type { Context } from '../../../src/phases/context.ts';
import { leftUnlabelled } from '../../../src/phases/nodes.ts';
import { gather, hostsToRead, type GatherOptions } from '../../../src/phases/gather.ts';
import { scriptedHost } from '../../helpers/scripted-host.ts';
import { output } from '../facts/fixture.ts';
import { clusterOf } from '../preflight/hosts.ts';
import { contextOf } from './context.ts';

/** The context of three fresh hosts with a limit; the facts of `missing` were not gathered. */
function limited(limit: readonly string[], ...missing: string[]): Context {
  const context = contextOf();
  return { ...context, limit, facts: Object.fromEntries(Object.entries(context.facts).filter(([name]) => !missing.includes(name))) };
}

const stepsOf = (context: Context) => makePlan(apply, context, {}).steps;
const hostsOf = (context: Context): string[] => [...new Set(stepsOf(context).map(({ host }) => host))].sort();

describe('a limited plan', () => {
  test('has exactly the steps of the hosts that are named, and what they need from here', () => {
    const limit = limited(['w-1'], 'w-2');
    expect(hostsOf(limit)).toEqual(['operator', 'w-1']);
    const own = (context: Context) =>
      stepsOf(context).flatMap((step) =>
        step.host === 'w-1' ? [{ ...step, needs: step.needs.filter((id) => !id.startsWith('cp-1/')) }] : [],
      );
    expect(own(limit)).toEqual(own(contextOf()));
    expect(stepsOf(limit).flatMap(({ host, summary: words }) => (host === 'operator' ? [words] : []))).toEqual([
      "make 4 certificate authorities, 4 shared secrets and the cluster's id",
      expect.stringMatching(/^issue \d certificates for w-1 /),
      expect.stringMatching(/^fetch \d+ artefacts/),
    ]);
  });

  test('fetches for these hosts only', () => {
    const fetched = (context: Context): number =>
      stepsOf(context).flatMap(({ action }) =>
        action.kind === 'local' && action.task === 'fetch' ? (action.parameters as { artefacts: unknown[] }).artefacts : [],
      ).length;
    expect(fetched(limited(['w-1']))).toBeLessThan(fetched(contextOf()));
  });

  test('of a control plane labels only itself, and leaves CoreDNS alone while a node is not there to be asked', () => {
    const addons = (context: Context): string[] =>
      stepsOf(context).flatMap(({ id }) => (/\/(addons|nodes)\//.test(id) ? [id.replace(/^cp-1\/(addons\/)?/, '')] : []));
    expect(addons(limited(['cp-1']))).toEqual(['api', 'access', 'identity', 'coredns', 'service-accounts', 'nodes/cp-1']);
    expect(addons(limited(['cp-1'], 'w-2'))).toEqual(['api', 'access', 'identity', 'service-accounts', 'nodes/cp-1']);
    expect(addons(limited(['cp-1', 'w-1'], 'w-2'))).toEqual(['api', 'access', 'identity', 'service-accounts', 'nodes/cp-1', 'nodes/w-1']);
  });

  test('knows which nodes it leaves without labels', () => {
    expect(leftUnlabelled(limited(['w-1']))).toEqual(['w-1']);
    expect(leftUnlabelled(limited(['w-1', 'cp-1']))).toEqual([]);
    const context = limited(['w-1']);
    const nodes = 'label w-1 node-role.kubernetes.io/worker=\nready w-1 True\nours w-1 node-role.kubernetes.io/worker';
    expect(leftUnlabelled({ ...context, states: { 'cp-1': { ...emptyState, probes: { nodes } } } })).toEqual([]);
  });
});

/** The hosts as --limit leaves them to be read, by name. */
function reads(limit: readonly string[] | undefined, change: (host: Host) => Partial<Host> = () => ({})): Record<string, string[]> {
  const cluster = clusterOf();
  const { needed, useful } = hostsToRead({ ...cluster, hosts: cluster.hosts.map((host) => ({ ...host, ...change(host) })) }, limit);
  const names = (hosts: readonly Host[]): string[] => hosts.map(({ name }) => name);
  return { needed: names(needed), useful: names(useful) };
}

describe('who is read', () => {
  test('everybody without a limit', () => {
    expect(reads(undefined)).toEqual({ needed: ['cp-1', 'w-1', 'w-2'], useful: [] });
  });

  test('a worker of the limit, and control planes as far as they answer; never another worker', () => {
    expect(reads(['w-1'])).toEqual({ needed: ['w-1'], useful: ['cp-1'] });
  });

  test('a control plane whose name or address only itself knows', () => {
    const unnamed = ({ name }: Host): Partial<Host> => (name === 'cp-1' ? { named: false } : {});
    const unaddressed = ({ name }: Host): Partial<Host> => (name === 'cp-1' ? { address: 'cp-1.example' } : {});
    expect(reads(['w-1'], unnamed)).toEqual({ needed: ['cp-1', 'w-1'], useful: [] });
    expect(reads(['w-1'], unaddressed)).toEqual({ needed: ['cp-1', 'w-1'], useful: [] });
  });

  test('all who answer for the observer', () => {
    expect(reads(['cp-1'])).toEqual({ needed: ['cp-1'], useful: ['w-1', 'w-2'] });
  });
});

describe('gathering with a limit', () => {
  const down = (name: string): Record<string, Error> => ({
    [name]: new SlipwayError(`${name} does not answer`, {
      code: 'REMOTE_UNREACHABLE',
      category: 'unreachable',
      where: { host: name },
      hint: 'Is it up?',
    }),
  });

  const refusing = (name: string): Record<string, Error> => ({
    [name]: new SlipwayError('nobody can be asked', { code: 'KEY_PASSPHRASE_MISSING', category: 'usage', where: { host: name } }),
  });

  /** Reads hosts that all look alike, but for those that fail. */
  function asking(limit: readonly string[] | undefined, failing: Readonly<Record<string, Error>>, without?: GatherOptions['without']) {
    const asked: string[] = [];
    const events: EngineEvent[] = [];
    const options: GatherOptions = {
      cluster: clusterOf(),
      limit,
      without,
      runner: async ({ name }) => {
        asked.push(name);
        if (failing[name]) throw failing[name];
        return scriptedHost(name).on(
          '=====state=====',
          `${output('bookworm')}=====state=====\n@list\n@end\n=====stamp=====\n4294967295 0\n`,
        );
      },
      store: { known: async () => [] } as unknown as GatherOptions['store'],
      state: { inventory: () => ({ authorities: {}, certificates: {}, secrets: {} }) } as unknown as GatherOptions['state'],
      render: () => '',
      now: 0,
      emit: (event) => void events.push(event),
    };
    return { asked, events, result: gather(options) };
  }

  test('never asks another worker, so that it may be down', async () => {
    const { asked, result } = asking(['w-1'], down('w-2'));
    const { context, states, stamps } = await result;
    expect(asked.sort()).toEqual(['cp-1', 'w-1']);
    expect([context.limit, Object.keys(context.facts), Object.keys(states), Object.keys(stamps)]).toEqual([
      ['w-1'],
      ['cp-1', 'w-1'],
      ['cp-1', 'w-1'],
      ['cp-1', 'w-1'],
    ]);
    expect(context.cluster.hosts.map(({ name }) => name)).toEqual(['cp-1', 'w-1', 'w-2']);
  });

  test('goes on without a control plane that is down, and says so', async () => {
    const { events, result } = asking(['w-1'], down('cp-1'));
    expect(Object.keys((await result).context.facts)).toEqual(['w-1']);
    expect(events.filter(({ code }) => code === 'warning')).toEqual([
      { code: 'warning', host: 'cp-1', message: 'left out: cp-1 does not answer', hint: 'Is it up?' },
    ]);
  });

  test('fails for a host that it is limited to', async () => {
    await expect(asking(['w-1', 'w-2'], down('w-2')).result).rejects.toMatchObject({ code: 'REMOTE_UNREACHABLE', where: { host: 'w-2' } });
    await expect(asking(undefined, down('w-2')).result).rejects.toMatchObject({ code: 'REMOTE_UNREACHABLE', where: { host: 'w-2' } });
  });

  test('goes on without any host that cannot be read where that is enough, and tells of it', async () => {
    const { events, result } = asking(undefined, { ...down('cp-1'), ...refusing('w-2') }, 'telling');
    const { context } = await result;
    expect([Object.keys(context.facts), context.limit]).toEqual([['w-1'], ['w-1']]);
    expect(context.unread?.map(({ host, error }) => [host.name, error.code])).toEqual([
      ['cp-1', 'REMOTE_UNREACHABLE'],
      ['w-2', 'KEY_PASSPHRASE_MISSING'],
    ]);
    expect(events.filter(({ code }) => code === 'host.failed')).toHaveLength(2);
  });

  test('skips hosts that do not answer, as if the limit were without them, and no others', async () => {
    const { context } = await asking(undefined, down('w-2'), 'skipping').result;
    expect([context.limit, context.unread, context.skipped?.map(({ host }) => host.name)]).toEqual([['cp-1', 'w-1'], undefined, ['w-2']]);
    const both = { ...down('w-1'), ...down('w-2') };
    expect((await asking(['cp-1', 'w-1'], both, 'skipping').result).context.limit).toEqual(['cp-1']);
    await expect(asking(undefined, refusing('w-2'), 'skipping').result).rejects.toMatchObject({ code: 'KEY_PASSPHRASE_MISSING' });
    const all = await asking(undefined, {}, 'skipping').result;
    expect([all.context.limit, all.context.skipped]).toEqual([undefined, undefined]);
  });

  test('ends even then where none can be read, with the reasons', async () => {
    const { result } = asking(undefined, { ...down('cp-1'), ...down('w-1'), ...refusing('w-2') }, 'telling');
    await expect(result).rejects.toMatchObject({ code: 'REMOTE_UNREACHABLE', category: 'unreachable', errors: { length: 3 } });
  });

  test.each([
    ['an interruption', new SlipwayError('x', { code: 'ABORTED', category: 'aborted' })],
    ['a mistake of ours', new TypeError('x')],
  ])('does not take %s for a host that is down', async (_, error) => {
    await expect(asking(['w-1'], { 'cp-1': error }).result).rejects.toBe(error);
    await expect(asking(undefined, { 'cp-1': error }, 'telling').result).rejects.toBe(error);
  });
});
