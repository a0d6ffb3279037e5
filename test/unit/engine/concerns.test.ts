import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { EngineEvent } from '../../../src/engine/events.ts';
import { execute } from '../../../src/engine/execute.ts';
import type { Materials } from '../../../src/engine/materials.ts';
import { RUN, VAR } from '../../../src/engine/state.ts';
import type { ScriptAction, Step } from '../../../src/engine/step.ts';
import type { Runner } from '../../../src/remote/runner.ts';
import { stepOf, type Spelt } from '../../helpers/spelt.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'slipway-execute-'));
});
afterEach(() => rmSync(root, { recursive: true }));

/** This machine as a host, with the host's directories moved below a temporary one. */
function host(name: string): Runner {
  const own = join(root, name);
  for (const directory of ['run/running', 'var/before']) mkdirSync(join(own, directory), { recursive: true });
  writeFileSync(join(own, 'run/token'), 'this-run\n');
  return {
    host: name,
    run: (script: string, { onLine }: { onLine(line: string): void }) => {
      const child = spawn('sh', ['-c', script.replaceAll(RUN, join(own, 'run')).replaceAll(VAR, join(own, 'var'))]);
      child.stdin.end();
      createInterface({ input: child.stdout }).on('line', onLine);
      return new Promise((resolve) => child.on('close', (code) => resolve({ code, stdout: '', stderr: '' })));
    },
  } as unknown as Runner;
}

const step = (id: string, script: string, more: Partial<Spelt<Step>> = {}): Step =>
  stepOf({
    ...{ id, host: id.split('/')[0]!, phase: 'p', summary: id, reason: 'to be done', lane: 'main' },
    ...more,
    action: { kind: 'script', script, ...(more.action as ScriptAction | undefined) },
  });

async function run(steps: readonly Step[]): Promise<{ done: string[]; events: EngineEvent[] }> {
  const events: EngineEvent[] = [];
  const hosts = new Map([...new Set(steps.map((one) => one.host))].map((name) => [name, host(name)]));
  await execute(
    { digest: '', steps },
    {
      run: 'this-run',
      runner: async (name) => hosts.get(name)!,
      materials: {} as Materials,
      local: {},
      emit: (event) => void events.push(event),
      stopHost: () => {},
      stop: new AbortController().signal,
    },
  );
  return { events, done: events.flatMap((event) => (event.code === 'step.done' ? [event.step.id] : [])).sort() };
}

describe('a step that one host does for another', () => {
  const drains = (first: string): Step[] => [
    step('cp/drain-a', first, { concerns: 'a' }),
    step('cp/drain-b', ':', { concerns: 'b' }),
    step('a/units', ':', { needs: ['cp/drain-a'] }),
    step('a/files', ':'),
    step('b/units', ':', { needs: ['cp/drain-b'] }),
    step('cp/node-a', ':', { concerns: 'a', needs: ['a/units'] }),
    step('cp/node-b', ':', { concerns: 'b', needs: ['b/units'] }),
    step('cp/own', ':'),
  ];

  test('ends the work for that host alone when it fails', async () => {
    const { done, events } = await run(drains('exit 1'));
    expect(done).toEqual(['b/units', 'cp/drain-b', 'cp/node-b', 'cp/own']);
    const skipped = events.flatMap((event) => (event.code === 'step.skipped' ? [event.step.id] : []));
    expect(skipped.sort()).toEqual(['a/files', 'a/units', 'cp/node-a']);
  });

  test('is not waited for by what concerns others', async () => {
    // It ends when the other host's node is gone.
    const { done } = await run([
      ...drains(`until [ -e ${root}/gone ]; do sleep 0.05; done`).filter(({ id }) => id !== 'cp/node-b'),
      step('cp/node-b', `: >${root}/gone`, { concerns: 'b', needs: ['b/units'] }),
    ]);
    expect(done).toHaveLength(8);
  });
});

test('a script whose output is worth it says each line once while it runs; others keep theirs for a failure', async () => {
  const lines = 'echo one; echo two; echo one';
  const { events } = await run([
    step('a/quiet', lines),
    step('a/telling', lines, { action: { kind: 'script', script: lines, progress: true } }),
  ]);
  const told = events.flatMap((event) => (event.code === 'step.progress' ? [`${event.step.id}: ${event.text}`] : []));
  expect(told).toEqual(['a/telling: one', 'a/telling: two']);
});
