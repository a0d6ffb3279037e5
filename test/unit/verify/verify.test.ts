import { describe, expect, test } from '@jest/globals';
import { verify, verifyChecks } from '../../../src/checks/verify/index.ts';
import type { EngineEvent } from '../../../src/engine/events.ts';
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
    expect(answers[0]).toMatchObject({ message: 'cp-1, w-1 and w-2: nobody is there' });
    expect(answers.filter(({ ok }) => ok === 'warn').every(({ message }) => message.startsWith('not tried'))).toBe(true);
    for (const code of ['check.started', 'check.done'] as const)
      expect(events.filter((event) => event.code === code)).toHaveLength(verifyChecks.length);
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
