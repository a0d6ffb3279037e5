import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { SlipwayError } from '../../../src/base/errors.ts';
import type { EngineEvent } from '../../../src/engine/events.ts';
import { execute, type ExecuteOptions, type Outcome } from '../../../src/engine/execute.ts';
import { digestOf } from '../../../src/engine/plan.ts';
import { RUN } from '../../../src/engine/state.ts';
import { OPERATOR, type Action, type Step } from '../../../src/engine/step.ts';
import type { Runner } from '../../../src/remote/runner.ts';
import { scriptedHost } from '../../helpers/scripted-host.ts';
import { shellHost, type ShellHost } from '../../helpers/shell-host.ts';
import { stepOf, type Spelt } from '../../helpers/spelt.ts';

let root: string;
let hosts: Record<string, Runner>;
let stop: AbortController;
let events: EngineEvent[];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'slipway-execute-'));
  hosts = {};
  stop = new AbortController();
  events = [];
});
afterEach(() => rmSync(root, { recursive: true }));

/** `HOST/SLUG`; the script is run by a real shell, in a directory that all hosts of the test share. */
function step(id: string, what: string | Action, rest: Partial<Spelt<Step>> = {}): Step {
  const host = id.split('/')[0]!;
  if (host !== OPERATOR) hosts[host] ??= shellHost(host, { root, run: 'this-run' });
  const action: Action = typeof what === 'string' ? { kind: 'script', script: `cd ${root}\n${what}` } : what;
  return stepOf({ id, host, phase: 'p', summary: `do ${id}`, reason: 'to be done', lane: 'main', ...rest, action });
}

const local = (task: string, rest: Partial<Spelt<Step>> = {}): Step =>
  step(`operator/${task}`, { kind: 'local', task, parameters: {} }, rest);
const wrote = (name: string): string[] => (existsSync(join(root, name)) ? readFileSync(join(root, name), 'utf8').trim().split('\n') : []);
const shell = (host: string): ShellHost => hosts[host] as ShellHost;
/** Shell text that waits for a file; a test whose file never comes fails by its time limit. */
const until = (file: string): string => `until [ -e ${file} ]; do sleep 0.02; done\n`;

const ENDINGS = ['step.done', 'step.failed', 'step.skipped'];

async function play(steps: readonly Step[], options: Partial<ExecuteOptions> = {}): Promise<Outcome> {
  const outcome = await execute(
    { digest: digestOf(steps), steps },
    {
      run: 'this-run',
      runner: async (host) => hosts[host]!,
      materials: { bytes: async (ref) => Buffer.from(ref), archive: async () => Promise.reject(new Error('no archives here')) },
      local: {},
      stop: stop.signal,
      stopHost: (host) => writeFileSync(join(shell(host).root, 'run/stop'), ''),
      ...options,
      emit: (event) => {
        events.push(event);
        options.emit?.(event);
      },
    },
  );
  // Whatever happens, what is told of a step makes sense: it ends once, and nothing is told of it afterwards.
  for (const { id } of steps) {
    const told = events.flatMap((event) => ('step' in event && event.step.id === id ? [event.code] : []));
    expect([id, told.slice(0, -1).filter((code) => ENDINGS.includes(code))]).toEqual([id, []]);
  }
  expect(outcome.done + outcome.undone + outcome.failures.length + outcome.unfinished.length + outcome.skipped).toBe(steps.length);
  return outcome;
}

const toldOf = (code: EngineEvent['code']): string[] =>
  events.flatMap((event) => (event.code === code && 'step' in event ? [event.step.id] : []));
const failed = ({ failures }: Outcome): unknown[] => failures.map(({ step: { id }, message, begun }) => ({ id, message, begun }));

describe('order', () => {
  test('is the column’s within a host, and that of needs between hosts', async () => {
    const outcome = await play([
      step('a/1', 'echo a1 >>log', { needs: ['b/2'] }),
      step('a/2', 'echo a2 >>log'),
      step('b/1', 'echo b1 >>log'),
      step('b/2', 'echo b2 >>log', { needs: [] }),
      step('b/3', 'echo b3 >>log', { needs: ['a/2'] }),
    ]);
    expect(outcome).toEqual({ failures: [], unfinished: [], done: 5, undone: 0, skipped: 0, stopped: false });
    expect(wrote('log')).toEqual(['b1', 'b2', 'a1', 'a2', 'b3']);
  });

  test('is none between hosts, nor between lanes of a host: each of these waits for all others to have begun', async () => {
    const meeting = ['a', 'b', 'c'].map((name) => `: >${name}\n`);
    const all = ['a', 'b', 'c'].map(until).join('');
    const outcome = await play([
      step('x/main', meeting[0]! + all),
      step('x/packages', meeting[1]! + all, { lane: 'packages' }),
      step('y/main', meeting[2]! + all),
    ]);
    expect(outcome.done).toBe(3);
  });

  test('of work on this machine is that of its needs', async () => {
    const log: string[] = [];
    const handler = (name: string) => async (): Promise<void> => void log.push(name);
    const outcome = await play(
      [local('last', { needs: ['operator/first', 'a/x'] }), local('first'), step('a/x', 'echo x >>log', { needs: ['operator/first'] })],
      {
        local: { first: handler('first'), last: handler('last') },
      },
    );
    expect([outcome.done, log]).toEqual([3, ['first', 'last']]);
  });
});

describe('a step that fails', () => {
  test('ends its host and what needs it, says why, and others go on', async () => {
    const outcome = await play([
      step('a/1', 'echo a1 >>log'),
      step('a/2', 'echo this is why; exit 3'),
      step('a/3', 'echo a3 >>log'),
      step('b/1', 'echo b1 >>log'),
      step('b/2', 'echo b2 >>log', { needs: ['a/2'] }),
      // It counts on what the column says before it.
      step('b/3', 'echo b3 >>log'),
      step('b/4', 'echo b4 >>log', { lane: 'api' }),
      step('c/1', 'echo c1 >>log', { needs: ['b/2'] }),
      step('d/1', 'echo d1 >>log', { needs: ['a/1'] }),
    ]);
    expect(failed(outcome)).toEqual([{ id: 'a/2', message: 'could not do a/2', begun: true }]);
    expect(outcome.failures[0]!.evidence).toBe('this is why');
    expect(wrote('log').sort()).toEqual(['a1', 'b1', 'b4', 'd1']);
    expect(toldOf('step.skipped').sort()).toEqual(['a/3', 'b/2', 'b/3', 'c/1']);
    expect([outcome.done, outcome.skipped, outcome.unfinished]).toEqual([4, 4, []]);
  });

  test('lets the script of another lane finish that was on its way', async () => {
    const outcome = await play(
      [
        step('a/bad', until('begun') + 'exit 1'),
        step('a/after', 'echo after >>log'),
        step('a/one', `: >begun\n${until('failed')}echo one >>log`, { lane: 'packages' }),
        step('a/two', 'echo two >>log', { lane: 'packages' }),
        step('a/three', 'echo three >>log', { lane: 'packages', needs: ['a/after'] }),
      ],
      {
        emit: ({ code }) => void (code === 'step.failed' && writeFileSync(join(root, 'failed'), '')),
      },
    );
    expect(wrote('log')).toEqual(['one', 'two']);
    expect(toldOf('step.skipped').sort()).toEqual(['a/after', 'a/three']);
    expect(outcome.done).toBe(2);
  });

  test('keeps archives from a host of which it is the end, though they had been waiting for their turn', async () => {
    const sentTo: string[] = [];
    let arrive!: () => void;
    const turn = new Promise<void>((resolve) => (arrive = resolve));
    const artefact: Action = { kind: 'artefact', name: 'kubelet', version: '1' };
    const outcome = await play(
      [step('a/kubelet', artefact, { lane: 'delivery' }), step('b/kubelet', artefact, { lane: 'delivery' }), step('b/bad', 'exit 1')],
      {
        uploads: 1,
        materials: {
          bytes: async () => Buffer.from(''),
          archive: async (_, __, host) => {
            sentTo.push(host);
            await turn;
            throw new Error('the archive is gone');
          },
        },
        emit: ({ code }) => void (code === 'step.skipped' && arrive()),
      },
    );
    expect([sentTo, toldOf('step.skipped'), failed(outcome)]).toEqual([
      ['a'],
      ['b/kubelet'],
      [
        { id: 'b/bad', message: 'could not do b/bad', begun: true },
        { id: 'a/kubelet', message: 'the archive is gone', begun: false },
      ],
    ]);
  });

  test.each([
    [
      'a handler',
      async (): Promise<void> => Promise.reject(new SlipwayError('no bytes', { code: 'X', category: 'failed', evidence: 'HTTP 404' })),
      'no bytes',
      'HTTP 404',
    ],
    ['nobody', undefined, 'nobody handles the local task fetch', ''],
  ])('on this machine ends what needs it alone: %s', async (_, handler, message, evidence) => {
    const outcome = await play(
      [local('fetch'), step('a/1', 'echo a1 >>log'), step('a/2', 'echo a2 >>log', { needs: ['operator/fetch'] }), local('issue')],
      { local: { ...(handler ? { fetch: handler } : {}), issue: async () => {} } },
    );
    expect(failed(outcome)).toEqual([{ id: 'operator/fetch', message, begun: true }]);
    expect(outcome.failures[0]!.evidence).toBe(evidence);
    expect([wrote('log'), toldOf('step.done').sort(), toldOf('step.skipped')]).toEqual([['a1'], ['a/1', 'operator/issue'], ['a/2']]);
  });
});

describe('a connection that is lost', () => {
  const lost = 'the connection to a was lost (read ECONNRESET)';

  test('fails what was under way in each lane, and skips the rest of the host', async () => {
    const outcome = await play(
      [
        step('a/1', 'echo a1 >>log'),
        step('a/2', `: >main\n${until('never')}`),
        step('a/3', 'echo a3 >>log'),
        step('a/packages', `${until('main')}: >both\n${until('never')}`, { lane: 'packages' }),
        step('b/1', `${until('both')}: >now\n${until('lost')}echo b1 >>log`),
        step('b/2', 'echo b2 >>log', { needs: ['a/3'] }),
        step('watch/1', until('now')),
        local('cut', { needs: ['watch/1'] }),
      ],
      { local: { cut: async () => (shell('a').loseConnection(), writeFileSync(join(root, 'lost'), '')) } },
    );
    expect(failed(outcome)).toHaveLength(2);
    expect(failed(outcome)).toEqual(
      expect.arrayContaining([
        { id: 'a/2', message: lost, begun: true },
        { id: 'a/packages', message: lost, begun: true },
      ]),
    );
    expect(outcome.failures[0]!.cause).toMatchObject({ code: 'REMOTE_CONNECTION_LOST' });
    expect(wrote('log')).toEqual(['a1', 'b1']);
    expect(toldOf('step.skipped').sort()).toEqual(['a/3', 'b/2']);
  });

  test('before anything could begin says so', async () => {
    const steps = [step('a/1', 'echo a1 >>log'), step('a/2', 'echo a2 >>log')];
    shell('a').loseConnection();
    expect(failed(await play(steps))).toEqual([{ id: 'a/1', message: lost, begun: false }]);
  });

  test('after everything was told takes nothing back', async () => {
    const steps = [step('a/1', 'echo a1 >>log'), step('a/2', 'echo a2 >>log')];
    shell('a').loseConnection('told');
    expect(await play(steps)).toEqual({ failures: [], unfinished: [], done: 2, undone: 0, skipped: 0, stopped: false });
  });

  test('after a step failed adds nothing to that', async () => {
    const steps = [step('a/1', 'exit 1'), step('a/2', 'echo a2 >>log')];
    shell('a').loseConnection('told');
    expect(failed(await play(steps))).toEqual([{ id: 'a/1', message: 'could not do a/1', begun: true }]);
  });
});

describe('stop', () => {
  test('finishes the running steps of all lanes and begins no other; nothing of that is a failure', async () => {
    const told = until(`${RUN}/stop`);
    const outcome = await play(
      [
        step('a/1', `: >one\n${told}echo a1 >>log`),
        step('a/2', 'echo a2 >>log'),
        step('b/1', `: >two\n${told}echo b1 >>log`),
        step('b/2', 'echo b2 >>log'),
        step('c/1', 'echo c1 >>log', { needs: ['a/2'] }),
        step('watch/1', until('one') + until('two')),
        local('press', { needs: ['watch/1'] }),
        local('later', { needs: ['operator/press'] }),
      ],
      { local: { press: async () => stop.abort(), later: async () => {} } },
    );
    expect(outcome).toEqual({ failures: [], unfinished: [], done: 4, undone: 0, skipped: 4, stopped: true });
    expect(wrote('log').sort()).toEqual(['a1', 'b1']);
    expect(events.filter(({ code }) => code === 'step.failed' || code === 'step.skipped')).toEqual([]);
  });

  test('lets go of work on this machine', async () => {
    const outcome = await play([local('fetch'), local('use', { needs: ['operator/fetch'] })], {
      local: {
        fetch: async (_, { signal }) => {
          stop.abort();
          if (signal.aborted) throw new SlipwayError('Fetching was interrupted', { code: 'ABORTED', category: 'aborted' });
        },
      },
    });
    expect(outcome).toEqual({ failures: [], unfinished: [], done: 0, undone: 0, skipped: 2, stopped: true });
  });

  test('does not hide what failed meanwhile', async () => {
    const outcome = await play(
      [step('a/1', `: >one\n${until(`${RUN}/stop`)}exit 1`), step('watch/1', until('one')), local('press', { needs: ['watch/1'] })],
      {
        local: { press: async () => stop.abort() },
      },
    );
    expect([outcome.stopped, failed(outcome)]).toEqual([true, [{ id: 'a/1', message: 'could not do a/1', begun: true }]]);
  });
});

describe('a step that is done for several hosts together', () => {
  const forBoth = (rest: Partial<Spelt<Step>> = {}): Step =>
    step('a/all', { kind: 'script', each: ['b', 'c'], script: `cd ${root}; echo "$@" >>log` }, { needs: ['b/1', 'c/1'], ...rest });

  test('waits for all of them', async () => {
    const outcome = await play([step('b/1', 'echo b >>log'), step('c/1', `${until('log')}echo c >>log`), forBoth()]);
    expect([outcome.failures, wrote('log')]).toEqual([[], ['b', 'c', 'b c']]);
  });

  test('goes on without the one on which something failed, and what comes after it on that host was skipped', async () => {
    const failing = [step('b/0', 'false'), step('b/1', 'echo b >>log'), step('c/1', 'echo c >>log')];
    const outcome = await play([...failing, forBoth(), step('a/after', 'echo after >>log')]);
    expect([failed(outcome), toldOf('step.skipped'), wrote('log')]).toEqual([
      [expect.objectContaining({ id: 'b/0' })],
      ['b/1'],
      ['c', 'c', 'after'],
    ]);
  });

  test.each([
    ['something failed on all of them', { b: 'false', c: 'false', d: 'true' }],
    ['something failed that it needs of another', { b: 'true', c: 'true', d: 'false' }],
  ])('is not done when %s', async (_, does) => {
    const before = Object.entries(does).map(([host, text]) => step(`${host}/1`, text));
    await play([...before, forBoth({ needs: before.map(({ id }) => id) })]);
    expect([toldOf('step.skipped'), wrote('log')]).toEqual([['a/all'], []]);
  });
});

describe('a script that does not do its work is a failure', () => {
  test('when the host was told to stop by somebody else', async () => {
    const steps = [step('a/1', 'echo a1 >>log')];
    writeFileSync(join(shell('a').root, 'run/stop'), '');
    expect(failed(await play(steps))).toEqual([
      { id: 'a/1', message: 'a was told by somebody else to stop (/run/slipway/stop)', begun: false },
    ]);
  });

  test('when another run has taken the host over', async () => {
    const steps = [step('a/1', 'echo a1 >>log'), step('a/2', 'echo a2 >>log')];
    writeFileSync(join(shell('a').root, 'run/token'), 'other\n');
    expect(failed(await play(steps))).toEqual([{ id: 'a/1', message: 'another run has taken a over', begun: false }]);
    expect(wrote('log')).toEqual([]);
  });

  test('when another run takes the host over in the middle and ends what runs there', async () => {
    const outcome = await play([step('a/1', `echo other >a/run/token; kill -TERM $$`), step('a/2', '')]);
    expect(failed(outcome)).toEqual([{ id: 'a/1', message: 'another run has taken a over', begun: true }]);
  });

  test('when it ends well and reports nothing', async () => {
    const steps = [step('a/1', ''), step('a/2', '')];
    hosts['a'] = scriptedHost('a').on(/./, { code: 0, stdout: 'nothing to see\n', stderr: 'but this\n' });
    const outcome = await play(steps);
    expect(failed(outcome)).toEqual([{ id: 'a/1', message: 'the script ended early (exit code 0)', begun: false }]);
    expect([outcome.failures[0]!.evidence, toldOf('step.skipped')]).toEqual(['nothing to seebut this', ['a/2']]);
  });

  test('when it is killed in the middle', async () => {
    const outcome = await play([step('a/1', 'echo last words; kill -9 $$'), step('a/2', '')]);
    expect(failed(outcome)).toEqual([{ id: 'a/1', message: expect.stringContaining('the script ended early'), begun: true }]);
    expect(outcome.failures[0]!.evidence).toBe('last words');
  });
});

describe('steps that can never begin', () => {
  test('are failures that name what they wait for', async () => {
    const outcome = await play([
      step('a/1', 'echo a1 >>log'),
      step('a/2', 'echo a2 >>log', { needs: ['b/1'] }),
      step('b/1', 'echo b1 >>log', { needs: ['a/2'] }),
      step('b/2', 'echo b2 >>log', { lane: 'packages', needs: ['b/gone'] }),
      step('c/1', 'echo c1 >>log', { needs: ['a/1'] }),
    ]);
    expect(outcome.unfinished.map(({ step: { id }, waitsFor }) => [id, waitsFor])).toEqual([
      ['a/2', ['b/1']],
      ['b/1', ['a/2']],
      ['b/2', ['b/gone']],
    ]);
    expect(outcome.failures).toEqual([]);
    expect([wrote('log').sort(), toldOf('step.failed')]).toEqual([
      ['a1', 'c1'],
      ['a/2', 'b/1', 'b/2'],
    ]);
  });
});
