import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { limitTo } from '../../../src/cli/limit.ts';
import { main } from '../../../src/cli/main.ts';
import { runPreflight } from '../../../src/cli/preflight.ts';
import type { EngineEvent } from '../../../src/engine/events.ts';
import type { Context } from '../../../src/phases/context.ts';
import { fakeIo } from '../init/io.ts';
import { change, clusterOf } from '../preflight/hosts.ts';
import { contextOf } from '../phases/context.ts';

describe('--limit', () => {
  const limit = (...given: string[]) => limitTo(clusterOf(), given);

  test('takes names and addresses, separated by commas or given several times, in the order of the file', () => {
    expect(limit()).toBeUndefined();
    expect(limit('w-1')).toEqual(['w-1']);
    expect(limit('w-2, w-1', 'w-1', '10.0.0.11')).toEqual(['cp-1', 'w-1', 'w-2']);
  });

  test('with ! before names takes all but these', () => {
    expect(limit('!w-1')).toEqual(['cp-1', 'w-2']);
    expect(limit('!w-1', '! 10.0.0.11')).toEqual(['w-2']);
    expect(limit('w-1,w-2,!w-1')).toEqual(['w-2']);
    expect(() => limit('w-1,!w-1')).toThrow(expect.objectContaining({ message: '--limit: no host is left', code: 'LIMIT_EMPTY' }));
  });

  test.each([
    [['!w1'], '--limit: there is no host w1 in the cluster file', 'did you mean w-1?'],
    [['w1'], '--limit: there is no host w1 in the cluster file', 'did you mean w-1?'],
    [['w-1,cp-2,w-22'], '--limit: there is no host cp-2, w-22 in the cluster file', 'did you mean cp-1,w-2?'],
    [['database'], '--limit: there is no host database in the cluster file', 'hosts: cp-1, w-1, w-2'],
    [['w-1,'], '--limit: there is no host (an empty name) in the cluster file', 'hosts: cp-1, w-1, w-2'],
  ])('refuses %p', (given, message, hint) => {
    expect(() => limit(...given)).toThrow(expect.objectContaining({ message, hint, code: 'HOST_UNKNOWN', category: 'usage' }));
  });
});

describe('slipway', () => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'slipway-limit-'));
    await writeFile(
      join(directory, 'cluster.yaml'),
      'spec: { hosts: [{ name: a-1, address: 192.0.2.1, roles: [control-plane, worker] }] }\n',
    );
  });
  afterAll(() => rm(directory, { recursive: true }));

  test.each(['plan', 'apply'])('%s refuses a host that is not in the file before it connects to any', async (verb) => {
    const io = fakeIo({ interactive: false, env: { XDG_STATE_HOME: directory } });
    expect(await main([verb, '-f', join(directory, 'cluster.yaml'), '--limit', 'a-2'], io)).toBe(3);
    expect(io.err()).toBe('error --limit: there is no host a-2 in the cluster file [HOST_UNKNOWN]\n  next: did you mean a-1?\n');
  });
});

describe('preflight', () => {
  function check(limit: readonly string[] | undefined): EngineEvent[] {
    const context = contextOf();
    const facts: Context['facts'] = {
      ...context.facts,
      'cp-1': change({ swap: [{ device: '/dev/sda2', size: 2 ** 31 }] })(context.facts['cp-1']!),
      'w-1': change({ selinux: 'enforcing' })(context.facts['w-1']!),
    };
    const events: EngineEvent[] = [];
    runPreflight({ ...context, facts, limit }, { emit: (event) => void events.push(event), skip: [] });
    return events;
  }

  test('holds nothing against a host that is not to be changed', () => {
    expect(check(['w-1'])).toEqual([expect.objectContaining({ code: 'warning', message: expect.stringMatching(/^w-1: SELinux/) })]);
    expect(check(['w-2'])).toEqual([]);
    expect(() => check(['cp-1', 'w-2'])).toThrow('one thing stands in the way');
    expect(() => check(undefined)).toThrow('one thing stands in the way');
  });
});
