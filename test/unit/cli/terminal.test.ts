import { PassThrough } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import type { Renderer } from '../../../src/cli/render/renderer.ts';
import { plainRenderer } from '../../../src/cli/render/plain.ts';
import { steadyRenderer } from '../../../src/cli/render/steady.ts';
import { terminalRenderer } from '../../../src/cli/render/terminal.ts';
import type { EngineEvent, StepName } from '../../../src/engine/events.ts';
import type { Plan } from '../../../src/engine/plan.ts';
import { createRandom } from '../../helpers/random.ts';
import { stepOf } from '../../helpers/spelt.ts';

const step = (id: string, phase: string): StepName => ({ id, host: id.split('/')[0]!, phase, summary: `do ${id}`, kind: 'script' });
const steps = [step('a/1', 'first'), step('b/1', 'first'), step('a/2', 'second')];
const plan: Plan = {
  digest: '',
  steps: steps.map((name) => stepOf({ ...name, action: { kind: 'script', script: '' }, reason: '', lane: 'main' })),
};

/** What may be told of a step. */
const ofStep = (one: StepName): EngineEvent[] => [
  { code: 'step.started', step: one },
  { code: 'step.progress', step: one, text: 'halfway\nof it' },
  { code: 'step.done', step: one, ms: 5 },
  { code: 'step.failed', step: one, message: 'the connection was lost', evidence: '' },
  { code: 'step.skipped', step: one, because: 'a/1' },
];
const stages = (['gather', 'check', 'plan', 'lock', 'run', 'verify'] as const).map((stage): EngineEvent => ({ code: 'stage', stage }));
const anything: EngineEvent[] = [
  ...[...steps, step('c/9', 'not planned')].flatMap(ofStep),
  ...stages,
  { code: 'run.started', verb: 'apply', run: 'r', hosts: ['a', 'b'] },
  { code: 'host.gathered', host: 'a' },
  { code: 'host.failed', host: 'b', message: 'no answer' },
  { code: 'plan.made', plan },
  { code: 'plan.made', plan: { digest: '', steps: [] } },
  { code: 'lock.taken', host: 'a' },
  { code: 'check.started', id: 'dns', title: 'DNS' },
  { code: 'check.done', id: 'dns', title: 'DNS', ok: false, result: 'fail', message: 'no answer' },
  { code: 'check.done', id: 'dns', title: 'DNS', ok: true, result: 'pass', message: '' },
  { code: 'warning', message: 'beware', hint: 'of this', host: 'a' },
  { code: 'run.finished', ok: false, ms: 1, stats: {} },
];

/** A terminal renderer on a stream that keeps what is written, with control sequences. */
function screen(columns = 80): Renderer & { text(): string } {
  const out = Object.assign(new PassThrough(), { isTTY: true, columns, rows: 24 });
  let text = '';
  out.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const renderer = terminalRenderer(out as unknown as NodeJS.WriteStream, {
    color: false,
    phaseTitles: { first: 'The first', second: 'The second' },
  });
  return { ...renderer, text: () => text };
}

/** Shows them one by one, with time to draw in between; a display that fails, fails the test. */
async function shown(events: readonly EngineEvent[]): Promise<string> {
  const display = screen();
  for (const event of events) {
    display.handle(event);
    await turn();
  }
  await display.stop();
  return display.text();
}

const running: EngineEvent[] = [
  { code: 'plan.made', plan },
  { code: 'stage', stage: 'run' },
];

describe('the display of a run', () => {
  const [one, two, three] = steps as [StepName, StepName, StepName];

  // A phase of one step has ended after one event.
  test.each(ofStep(three).map((event) => [event.code, event] as const))(
    'is drawn to its end whatever else is told of a step after %s',
    async (_, first) => {
      for (const second of ofStep(three)) await shown([...running, first, second]);
    },
  );

  test.each(Array.from({ length: 25 }, (_, i) => i))('is drawn to its end with events in no order at all (%d)', async (seed) => {
    const random = createRandom(seed);
    const events = Array.from({ length: 5 + random.below(40) }, () => random.pick(anything));
    await shown(random.below(2) === 0 ? events : [...running, ...events]);
  });

  test('says of each phase how far it came', async () => {
    // What was drawn after all was erased for the last time.
    const last = (text: string): string => text.split('\u001B[G').at(-1)!;
    const text = await shown([
      ...running,
      { code: 'step.done', step: one, ms: 1 },
      { code: 'step.failed', step: two, message: 'the connection to b was lost', evidence: '' },
      { code: 'step.skipped', step: three, because: 'b/1' },
    ]);
    expect(last(text)).toMatch(/✖ The first 1\/2\s+› b: the connection to b was lost\s+⚠ The second 0\/1\s+↓ The second: not done/);
    expect(last(await shown([...running, { code: 'step.done', step: one, ms: 1 }]))).toMatch(
      /⚠ The first 1\/2\s+↓ The first: not finished\s+⚠ The second 0\/1\s+↓ The second: not done/,
    );
  });
});

describe('a display that fails', () => {
  const broken = (fault: Partial<Renderer>): { display: Renderer; said: () => string; faults: unknown[] } => {
    const out = new PassThrough();
    let text = '';
    out.on('data', (chunk: Buffer) => (text += chunk.toString()));
    const faults: unknown[] = [];
    const nothing: Renderer = { handle: () => {}, settle: async () => {}, stop: async () => {} };
    const display = steadyRenderer(
      { ...nothing, ...fault },
      { otherwise: plainRenderer(out, { verbose: false }), onFault: (error) => faults.push(error) },
    );
    return { display, said: () => text, faults };
  };
  const fault = new TypeError('cannot draw');

  test('is given up, and the run goes on with plain lines', async () => {
    const { display, said, faults } = broken({
      handle: () => {
        throw fault;
      },
    });
    display.handle({ code: 'step.failed', step: steps[0]!, message: 'the connection to a was lost', evidence: '' });
    display.handle({ code: 'warning', message: 'beware' });
    await display.stop();
    expect([said(), faults]).toEqual(['a | FAILED: the connection to a was lost\nwarning: beware\n', [fault]]);
  });

  test.each(['settle', 'stop'] as const)('when it is to %s does not hide the error of the run', async (what) => {
    const { display, faults } = broken({ [what]: async () => Promise.reject(fault) });
    await display[what]();
    expect(faults[0]).toBe(fault);
  });
});
