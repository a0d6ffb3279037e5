import { mkdtempSync, existsSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { execute } from '../../../src/engine/execute.ts';
import { makePlan } from '../../../src/engine/plan.ts';
import { emptyState } from '../../../src/engine/state.ts';
import type { Desired, Lane } from '../../../src/engine/step.ts';
import { createRandom, type Random } from '../../helpers/random.ts';
import { shellHost } from '../../helpers/shell-host.ts';
import { desiredOf } from '../../helpers/spelt.ts';

const HOSTS = ['a', 'b', 'c'];
const LANES: readonly Lane[] = ['main', 'packages', 'api'];

interface Graph {
  wanted: Desired[];
  /** What hosts have done already. */
  done: string[];
  /** What will fail. */
  bad: string[];
}

/** Steps that need earlier ones of the column, of whatever host and lane; some are so already, and some will not work. */
function graphOf(random: Random, log: string): Graph {
  const ids: string[] = [];
  const wanted: Desired[] = [];
  for (let i = 0; i < 4 + random.below(14); i++) {
    const host = random.pick(HOSTS);
    const id = `${host}/p/${i}`;
    const needs = random.some(ids, random.below(4));
    const accompanies = ids.length > 0 && random.below(5) === 0 ? { onlyIfAny: random.some(ids, 1) } : {};
    const fails = random.below(12) === 0;
    wanted.push(
      desiredOf({
        id,
        host,
        summary: id,
        lane: random.pick(LANES),
        needs,
        ...accompanies,
        action: {
          kind: 'script',
          script: `echo '+${id}' >>${log}\n${fails ? 'exit 1' : ''}\necho '-${id}' >>${log}`,
          done: { probe: id, lines: ['yes'] },
        },
      }),
    );
    ids.push(id);
  }
  return {
    wanted,
    done: ids.filter(() => random.below(3) === 0),
    bad: wanted.flatMap(({ id, action }) => (action.kind === 'script' && action.script.includes('exit 1') ? [id] : [])),
  };
}

/** What a step waits for by way of others, whether they are planned or not. */
function allNeeds(wanted: readonly Desired[]): Map<string, Set<string>> {
  const all = new Map<string, Set<string>>();
  for (const { id, needs = [] } of wanted) all.set(id, new Set([...needs, ...needs.flatMap((need) => [...all.get(need)!])]));
  return all;
}

test.each(Array.from({ length: 40 }, (_, i) => i))(
  'nothing begins before what it needs has ended well, through whatever was so already (%d)',
  async (seed) => {
    const root = mkdtempSync(join(tmpdir(), 'slipway-graphs-'));
    try {
      const log = join(root, 'log');
      const { wanted, done, bad } = graphOf(createRandom(seed), log);
      const probes = Object.fromEntries(done.map((id) => [id, 'yes']));
      const states = Object.fromEntries(HOSTS.map((host) => [host, { ...emptyState, probes }]));
      const phase = { id: 'p', title: '', summary: '', plan: () => wanted };
      const plan = makePlan({ phases: [phase] }, undefined, states);
      const hosts = Object.fromEntries(HOSTS.map((host) => [host, shellHost(host, { root: join(root, host), run: 'this-run' })]));
      const outcome = await execute(plan, {
        run: 'this-run',
        runner: async (host) => hosts[host]!,
        materials: {
          bytes: () => Promise.reject(new Error('no bytes here')),
          archive: () => Promise.reject(new Error('no archives here')),
        },
        local: {},
        stop: new AbortController().signal,
        stopHost: () => undefined,
        emit: () => undefined,
      });

      const lines = existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n') : [];
      const planned = new Set<string>(plan.steps.map(({ id }) => id));
      const needs = allNeeds(wanted);
      for (const [at, line] of lines.entries()) {
        if (!line.startsWith('+')) continue;
        const ended = new Set(lines.slice(0, at));
        const missing = [...needs.get(line.slice(1))!].filter((need) => planned.has(need) && !ended.has(`-${need}`));
        expect([line, missing]).toEqual([line, []]);
      }
      // What can be done was done, and what waits for a failure was not.
      expect(outcome.unfinished).toEqual([]);
      expect(outcome.done).toBe(lines.filter((line) => line.startsWith('-')).length);
      if (bad.every((id) => !planned.has(id))) expect(outcome.done).toBe(planned.size);
      expect(lines.some((line) => done.includes(line.slice(1)))).toBe(false);
    } finally {
      rmSync(root, { recursive: true });
    }
  },
);
