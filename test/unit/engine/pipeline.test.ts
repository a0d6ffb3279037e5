import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { SlipwayError } from '../../../src/base/errors.ts';
import { runPipeline, type Pipeline } from '../../../src/engine/pipeline.ts';
import type { Plan } from '../../../src/engine/plan.ts';
import type { Desired } from '../../../src/engine/step.ts';
import { shellHost, type ShellHost } from '../../helpers/shell-host.ts';
import { desiredOf } from '../../helpers/spelt.ts';

let root: string;
let hosts: Record<string, ShellHost>;
let called: string[];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'slipway-pipeline-'));
  hosts = { a: shellHost('a', { root }), b: shellHost('b', { root }) };
  called = [];
});
afterEach(() => rmSync(root, { recursive: true }));

/** What is not so yet: as a context that changes when a host does. */
type Wanted = readonly Desired[];

function want(id: string, script: string, needs: readonly string[] = []): Desired {
  return desiredOf({
    id,
    host: id.split('/')[0]!,
    summary: `do ${id}`,
    needs,
    action: { kind: 'script', script: `cd ${root}\n${script}` },
  });
}

/** `looks`: what is wanted at each look at the hosts. Every host was as now when it was looked at, unless `changed`. */
function pipeline(
  looks: readonly Wanted[],
  { changed = false, ...more }: Partial<Pipeline<Wanted>> & { changed?: boolean } = {},
): Pipeline<Wanted> {
  let look = 0;
  // cksum of nothing: no journal.
  const stamp = changed ? 'another' : '4294967295 0';
  return {
    playbook: { verb: 'apply', phases: [{ id: 'p', title: 'P', summary: '', plan: (wanted) => [...wanted] }] },
    gather: async () => {
      called.push('gather');
      return { context: looks[look++] ?? looks.at(-1)!, states: {}, stamps: { a: stamp, b: stamp } };
    },
    check: async () => void called.push('check'),
    confirm: async () => (called.push('confirm'), true),
    verify: async (_, after) => void called.push(`verify ${after ? 'changed' : 'unchanged'}`),
    runner: async (host) => hosts[host]!,
    operator: () => ({
      materials: { bytes: async () => Buffer.from(''), archive: async () => Promise.reject(new Error('none')) },
      local: {},
    }),
    lock: { run: 'this-run', operator: 'me@here', verb: 'slipway apply', since: '2026-01-01T00:00:00Z' },
    emit: () => {},
    stop: new AbortController().signal,
    ...more,
  };
}

/** Nothing is held any more; where nothing was done, nothing is left. */
async function expectUnlocked(): Promise<void> {
  for (const host of Object.values(hosts)) {
    const { code } = await host.run('[ ! -e /run/slipway ] || { flock -n /run/slipway/lock true && flock -n /run/slipway/steps true; }');
    expect([host.host, code]).toEqual([host.host, 0]);
  }
}

test('gathers, checks, asks, runs and verifies, in that order, and gives the locks back', async () => {
  const finish = await runPipeline(pipeline([[want('a/1', ': >done-a'), want('b/1', '[ -e done-a ] && : >done-b', ['a/1'])]]));
  expect(finish).toMatchObject({ kind: 'changed', outcome: { done: 2 } });
  expect(called).toEqual(['gather', 'check', 'confirm', 'verify changed']);
  expect(existsSync(join(root, 'done-b'))).toBe(true);
  await expectUnlocked();
});

test('an empty plan asks nobody, and looks', async () => {
  expect(await runPipeline(pipeline([[]]))).toEqual({ kind: 'unchanged' });
  expect(called).toEqual(['gather', 'check', 'verify unchanged']);
});

describe('a plan that is not the one that was agreed to', () => {
  const refused = new SlipwayError('another plan', { code: 'PLAN_OUTDATED', category: 'refused' });
  const accept = (plan: Plan): void => {
    called.push(`accept ${plan.steps.length}`);
    throw refused;
  };

  test.each([
    ['with steps', [want('a/1', ': >done')], 1],
    ['that is empty', [], 0],
  ] as const)('is refused before anybody is asked: one %s', async (_, wanted, count) => {
    await expect(runPipeline(pipeline([wanted], { accept }))).rejects.toBe(refused);
    expect(called).toEqual(['gather', 'check', `accept ${count}`]);
    expect(existsSync(join(root, 'a/run/lock'))).toBe(false);
  });

  test('because a host changed before it was locked is shown anew and asked for again, unless all is as it was planned', async () => {
    const one = [want('a/1', ': >done')];
    const two = [want('a/2', ': >done-2')];
    expect(await runPipeline(pipeline([one, one], { changed: true }))).toMatchObject({ kind: 'changed' });
    expect(called.filter((word) => word === 'confirm')).toHaveLength(1);

    expect(await runPipeline(pipeline([one, two], { changed: true }))).toMatchObject({ kind: 'changed', plan: { steps: [{ id: 'a/2' }] } });
    expect([called.filter((word) => word === 'confirm').length, existsSync(join(root, 'done-2'))]).toEqual([3, true]);

    let asked = 0;
    const declined = await runPipeline(pipeline([one, two], { changed: true, confirm: async () => ++asked === 1 }));
    expect([declined.kind, asked]).toEqual(['declined', 2]);
    await expectUnlocked();
  });

  test('because an earlier run has done all of it meanwhile needs nobody’s yes', async () => {
    expect(await runPipeline(pipeline([[want('a/1', ': >done')], []], { changed: true }))).toEqual({ kind: 'unchanged' });
    expect(called.slice(-2)).toEqual(['check', 'verify unchanged']);
    expect(existsSync(join(root, 'done'))).toBe(false);
    await expectUnlocked();
  });

  test('because another host would have to change too, which is not locked, is refused', async () => {
    const looks = [[want('a/1', ': >done')], [want('b/1', ': >done')]];
    await expect(runPipeline(pipeline(looks, { changed: true }))).rejects.toMatchObject({ code: 'PLAN_OUTDATED', category: 'refused' });
    expect(existsSync(join(root, 'done'))).toBe(false);
    await expectUnlocked();
  });

  test('by the person who was asked changes nothing', async () => {
    expect(await runPipeline(pipeline([[want('a/1', ': >done')]], { confirm: async () => false }))).toMatchObject({ kind: 'declined' });
    expect(existsSync(join(root, 'a/run/lock'))).toBe(false);
  });
});

describe('a run that does not come to its end', () => {
  test('because a step failed is an error, is not verified, and gives the locks back', async () => {
    await expect(runPipeline(pipeline([[want('a/1', 'echo why; exit 1'), want('b/1', ': >done-b')]]))).rejects.toMatchObject({
      code: 'RUN_FAILED',
      message: 'a step failed; 1 steps are done, 0 were not started',
      errors: [{ code: 'STEP_FAILED', evidence: 'why', where: { host: 'a', phase: 'p', step: 'a/1' } }],
    });
    expect(called).not.toContain('verify changed');
    await expectUnlocked();
  });

  test('because a connection was lost names the host and what was under way there, once', async () => {
    const begun = join(root, 'begun');
    const running = runPipeline(
      pipeline([[want('a/1', `: >${begun}; until [ -e never ]; do sleep 0.02; done`), want('a/2', 'true'), want('b/1', ': >done-b')]], {
        emit: (event) => {
          if (event.code === 'step.started' && event.step.id === 'a/1') hosts['a']!.loseConnection();
        },
      }),
    );
    await expect(running).rejects.toMatchObject({
      code: 'RUN_FAILED',
      message: 'a step failed; 1 steps are done, 1 were not started',
      errors: [
        {
          code: 'REMOTE_CONNECTION_LOST',
          message: 'the connection to a was lost (read ECONNRESET), in the middle of: do a/1',
          where: { host: 'a' },
          hint: expect.stringContaining('Run the same command again'),
        },
      ],
    });
  });

  test('because it was stopped says how far it came', async () => {
    const stop = new AbortController();
    const steps = [want('a/1', 'until [ -e /run/slipway/stop ]; do sleep 0.02; done'), want('a/2', ': >a2')];
    const running = runPipeline(
      pipeline([steps], { stop: stop.signal, emit: ({ code }) => void (code === 'step.started' && stop.abort()) }),
    );
    await expect(running).rejects.toMatchObject({ code: 'INTERRUPTED', category: 'aborted', message: 'interrupted after 1 of 2 steps' });
    expect([existsSync(join(root, 'a2')), called]).toEqual([false, ['gather', 'check', 'confirm']]);
    await expectUnlocked();
  });

  test('because its steps wait for each other is refused before anything', async () => {
    await expect(runPipeline(pipeline([[want('a/1', 'true', ['b/1']), want('b/1', 'true', ['a/1'])]]))).rejects.toMatchObject({
      code: 'BUG',
    });
    expect(called).toEqual(['gather', 'check']);
  });
});
