import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { EngineEvent } from '../../../src/engine/events.ts';
import { execute, type Outcome } from '../../../src/engine/execute.ts';
import { digestOf, makePlan } from '../../../src/engine/plan.ts';
import type { Action, Desired, Step } from '../../../src/engine/step.ts';
import { shellHost, type ShellHost } from '../../helpers/shell-host.ts';
import { desiredOf, stepOf, type Spelt } from '../../helpers/spelt.ts';

let root: string;
let host: ShellHost;
let events: EngineEvent[];
let stop: AbortController;
const owner = `${process.getuid!()}:${process.getgid!()}`;

/** Says that the unit is loaded and runs as process 1, and writes down what it is told to do. */
const SYSTEMCTL = `#!/bin/sh
case $1 in
show) printf 'LoadState=loaded\\nNeedDaemonReload=no\\nFragmentPath=\\nActiveState=active\\nMainPID=1\\n' ;;
daemon-reload | restart) echo "$* with $(cat ROOT/etc/settings)" >>ROOT/log ;;
esac
`;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'slipway-change-'));
  for (const directory of ['bin', 'etc']) mkdirSync(join(root, directory));
  writeFileSync(join(root, 'bin/systemctl'), SYSTEMCTL.replaceAll('ROOT', root));
  chmodSync(join(root, 'bin/systemctl'), 0o755);
  host = shellHost('a', { root, run: 'this-run', bin: join(root, 'bin') });
  writeFileSync(join(root, 'etc/settings'), 'good', { mode: 0o640 });
  symlinkSync('version-1', join(root, 'etc/program'));
  writeFileSync(join(host.root, 'var/wanted'), 'aaaaaaaaaaaaaaaa a/settings\n');
  events = [];
  stop = new AbortController();
});
afterEach(() => rmSync(root, { recursive: true }));

const inEtc = (name: string): string => join(root, 'etc', name);
const step = (slug: string, action: Action): Step =>
  stepOf({
    id: `a/${slug}`,
    host: 'a',
    phase: 'p',
    summary: `do ${slug}`,
    reason: 'to be done',
    lane: 'rollout',
    change: 'a/daemon',
    action,
  });
const file = (name: string, text: string): Action => ({ kind: 'file', path: inEtc(name), mode: '0600', owner, content: { text } });
const unit: Action = { kind: 'unit', name: 'daemon.service', path: '/etc/systemd/system/daemon.service', digest: 'd1' };
/** It serves as long as its settings are good. */
const gate = (condition = `grep -q good ${inEtc('settings')}`): Action => ({ kind: 'wait', condition, timeoutSeconds: 1 });

/** Everything that a daemon runs from, then its start, then a look at whether it serves. */
const change = (settings: string, last = gate()): Step[] => [
  step('settings', file('settings', settings)),
  step('new', file('new', 'was not there')),
  step('program', { kind: 'link', path: inEtc('program'), target: 'version-2' }),
  step('unit', unit),
  step('serves', last),
];

async function play(steps: readonly Step[]): Promise<Outcome> {
  return execute(
    { digest: digestOf(steps), steps },
    {
      run: 'this-run',
      runner: async () => host,
      materials: { bytes: async (ref) => Buffer.from(ref), archive: async () => Promise.reject(new Error('no archives here')) },
      local: {},
      stop: stop.signal,
      stopHost: () => writeFileSync(join(host.root, 'run/stop'), ''),
      emit: (event) => void events.push(event),
    },
  );
}

const now = (): object => ({
  settings: readFileSync(inEtc('settings'), 'utf8'),
  mode: (statSync(inEtc('settings')).mode & 0o777).toString(8),
  new: existsSync(inEtc('new')),
  program: readlinkSync(inEtc('program')),
});
const BEFORE = { settings: 'good', mode: '640', new: false, program: 'version-1' };
const AFTER = { settings: 'good too', mode: '600', new: true, program: 'version-2' };
const told = (): string[] => readFileSync(join(root, 'log'), 'utf8').trim().split('\n');
const recorded = (id: string): string =>
  readFileSync(join(host.root, 'var/wanted'), 'utf8')
    .trim()
    .split('\n')
    .filter((line) => line.endsWith(` ${id}`))
    .at(-1)!
    .split(' ')[0]!;

describe('a change', () => {
  test('is one script, and stays when it serves', async () => {
    const outcome = await play(change('good too'));
    expect([outcome.failures, outcome.done, host.stats.roundTrips]).toEqual([[], 5, 1]);
    expect(now()).toEqual(AFTER);
    expect(existsSync(join(host.root, 'var/change'))).toBe(false);
  });

  test('is put back with everything that it replaced when it does not serve; what ran before is started again, and looked at', async () => {
    const outcome = await play([...change('bad'), step('after', { kind: 'script', script: `: >${inEtc('after')}` })]);
    expect(now()).toEqual(BEFORE);
    expect(told()).toEqual([
      'daemon-reload with bad',
      'restart --no-block daemon.service with bad',
      'daemon-reload with good',
      'restart --no-block daemon.service with good',
    ]);
    expect(outcome.failures.map(({ step: { id }, putBack }) => [id, putBack])).toEqual([['a/serves', 'serving']]);
    expect([outcome.done, outcome.undone, outcome.skipped]).toEqual([0, 4, 1]);
    const undone = events.flatMap((event) => (event.code === 'step.undone' ? [event.step.id] : []));
    expect(undone).toEqual(['a/settings', 'a/new', 'a/program', 'a/unit']);
    // Nobody takes it for drift: the host was not brought to it.
    expect([recorded('a/settings'), recorded('a/new')]).toEqual(['aaaaaaaaaaaaaaaa', '0000000000000000']);
    expect(existsSync(inEtc('after'))).toBe(false);
  });

  test('tells when what ran before does not serve either', async () => {
    const outcome = await play(change('bad', gate('echo never; false')));
    expect(now()).toEqual(BEFORE);
    expect(outcome.failures.map(({ putBack, evidence }) => [putBack, evidence])).toEqual([['broken', expect.stringContaining('never')]]);
  });

  test('that fails before anything was restarted restarts nothing', async () => {
    mkdirSync(inEtc('new/full'), { recursive: true });
    const outcome = await play(change('bad'));
    expect(outcome.failures.map(({ step: { id }, putBack }) => [id, putBack])).toEqual([['a/new', 'untouched']]);
    expect(now()).toEqual({ ...BEFORE, new: true });
    expect(existsSync(join(root, 'log'))).toBe(false);
    expect(lstatSync(inEtc('new')).isDirectory()).toBe(true);
  });

  test.each([
    ['bad', BEFORE],
    ['good too', AFTER],
  ])('goes on to its end, whichever it is, when nobody is connected any more: %s', async (settings, end) => {
    const go = join(root, 'go');
    const steps = change(settings);
    steps.splice(3, 0, step('pause', { kind: 'script', script: `: >${join(root, 'paused')}; until [ -e ${go} ]; do sleep 0.02; done` }));
    const playing = play(steps);
    while (!existsSync(join(root, 'paused'))) await setTimeout(10);
    host.loseConnection('deaf');
    writeFileSync(go, '');
    expect((await playing).failures.length).toBeGreaterThan(0);
    // The script's own file goes when it ends.
    while (readdirSync(join(host.root, 'run/running')).length > 0) await setTimeout(10);
    expect(now()).toEqual(end);
  });

  test('that has begun is finished when the run is stopped, and no other is begun', async () => {
    const steps = change('good too');
    steps[1] = step('new', {
      kind: 'script',
      script: `: >${inEtc('new')}; until [ -e ${join(host.root, 'run/stop')} ]; do sleep 0.02; done`,
    });
    const next = step('next', { kind: 'script', script: `: >${inEtc('next')}` });
    const playing = play([...steps, { ...next, change: 'a/next' }]);
    while (!existsSync(inEtc('new'))) await setTimeout(10);
    stop.abort();
    const outcome = await playing;
    expect([outcome.done, outcome.stopped, existsSync(inEtc('next'))]).toEqual([5, true, false]);
    expect(now()).toEqual(AFTER);
  });

  test('begins when everything is done that any of its steps needs', () => {
    const desired = (id: string, rest: Partial<Spelt<Desired>> = {}): Desired =>
      desiredOf({
        id,
        host: id.split('/')[0]!,
        summary: id,
        action: { kind: 'script', script: ':' },
        ...rest,
      });
    const inside = { lane: 'rollout', change: 'a/daemon' } as const;
    const { steps } = makePlan(
      {
        phases: [
          {
            id: 'p',
            title: 'P',
            summary: '',
            plan: () => [
              desired('operator/key'),
              desired('b/gate'),
              desired('a/key', { ...inside, needs: ['operator/key'] }),
              desired('a/unit', { ...inside, needs: ['a/key', 'b/gate'] }),
              desired('c/after', { needs: ['a/unit'] }),
            ],
          },
        ],
      },
      {},
      {},
    );
    expect(Object.fromEntries(steps.map(({ id, needs }) => [id, needs]))).toEqual({
      'operator/key': [],
      'b/gate': [],
      'a/key': ['operator/key', 'b/gate'],
      'a/unit': [],
      'c/after': ['a/unit'],
    });
  });
});
