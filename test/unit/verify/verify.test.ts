import { describe, expect, test } from '@jest/globals';
import { verify, verifyChecks, type Answer } from '../../../src/checks/verify/index.ts';
import type { EngineEvent } from '../../../src/engine/events.ts';
import { scriptedHost } from '../../helpers/scripted-host.ts';
import { clusterOf } from '../preflight/hosts.ts';
import { context } from './situation.ts';

describe('a verification of hosts that nobody reaches', () => {
  test('says that, answers every check in order, and blames nothing else', async () => {
    const events: EngineEvent[] = [];
    const answers = await verify(context({ events, cluster: clusterOf('  addons: { metricsServer: true }\n') }), {
      deep: true,
      suffix: 'abc',
    });
    expect(answers.map(({ id }) => id)).toEqual(verifyChecks.map(({ id }) => id));
    expect(answers.filter(({ ok }) => ok === 'fail').map(({ id }) => id)).toEqual(['hosts', 'pods']);
    expect(answers.find(({ id }) => id === 'hosts')).toMatchObject({ message: 'cp-1, w-1 and w-2: nobody is there' });
    // Whose hosts they are was gathered before.
    const others = answers.filter(({ id, ok }) => ok !== 'fail' && id !== 'identity');
    expect(others.every(({ ok, message }) => ok === 'untried' && message.startsWith('not tried'))).toBe(true);
    for (const code of ['check.started', 'check.done'] as const)
      expect(events.filter((event) => event.code === code)).toHaveLength(verifyChecks.length);
  });
});

describe('a verification with hosts that could not be read', () => {
  /** The named hosts are not there; on the others each probe prints this. */
  async function without(unread: readonly string[], prints: string): Promise<{ answers: Record<string, Answer>; events: EngineEvent[] }> {
    const events: EngineEvent[] = [];
    const whole = context({ events });
    const answers = await verify(
      {
        ...whole,
        cluster: { ...whole.cluster, hosts: whole.cluster.hosts.filter(({ name }) => !unread.includes(name)) },
        unread: whole.cluster.hosts
          .filter(({ name }) => unread.includes(name))
          .map((host) => ({ host, why: `root@${host.name} refused the login to ${host.name}`, hint: 'Check the user.' })),
        runner: async (host) =>
          scriptedHost(host)
            .on('@problem', { code: 1 })
            .on(
              '@probe',
              (script) =>
                [...script.matchAll(/@probe %s\\n' ([\w-]+)/g)].map(([, id]) => `@probe ${id}\n${prints}\n`).join('') + '\n@probe end\n',
            ),
      },
      { deep: false, suffix: 'abc' },
    );
    return { answers: Object.fromEntries(answers.map((answer) => [answer.id, answer])), events };
  }

  test('names them with the way out, and says of each other check what it did not see', async () => {
    const { answers, events } = await without(['w-2'], 'HTTP 200');
    expect(answers['hosts']).toMatchObject({ ok: 'fail', message: 'w-2: root@w-2 refused the login to it', hint: 'Check the user.' });
    expect(answers['kubelet']).toEqual({
      id: 'kubelet',
      title: 'Every kubelet is well',
      ok: 'pass',
      message: '2 kubelets; not looked at: w-2',
      unseen: ['w-2'],
    });
    // The one control plane was seen, and nothing of it runs on w-2.
    expect(answers['scheduler']!.message).not.toContain('w-2');
    expect(events).toContainEqual(expect.objectContaining({ code: 'check.done', id: 'kubelet', ok: true, result: 'pass' }));
  });

  test('tries nothing that needs a control plane where none answers, and says so of each', async () => {
    const { answers } = await without(['cp-1'], 'HTTP 200');
    const of = (ok: Answer['ok']): string[] => Object.values(answers).flatMap((answer) => (answer.ok === ok ? [answer.id] : []));
    expect(of('untried')).toEqual(
      expect.arrayContaining(['api-server', 'controller-manager', 'nodes', 'coredns', 'audit-log', 'pods', 'dns', 'privileged']),
    );
    expect(of('pass')).toEqual(expect.arrayContaining(['kubelet', 'kube-proxy']));
    expect(answers['pods']!.message).toBe('not tried: no control plane answers');
  });
});

test('what a cluster does not have is not checked', async () => {
  const answers = await verify(context({ cluster: clusterOf('  addons: { coredns: false }\n') }), { deep: false, suffix: 'abc' });
  expect(answers.map(({ id }) => id)).not.toContain('coredns');
  expect(answers.map(({ id }) => id)).not.toContain('dns');
});

test('ids are unique and are file names', () => {
  const ids = verifyChecks.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
  for (const id of ids) expect(id).toMatch(/^[a-z]+(-[a-z]+)*$/);
});
