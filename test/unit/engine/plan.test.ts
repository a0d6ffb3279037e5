import { describe, expect, test } from '@jest/globals';
import { makePlan } from '../../../src/engine/plan.ts';
import { emptyState } from '../../../src/engine/state.ts';
import type { Desired } from '../../../src/engine/step.ts';
import { desiredOf, type Spelt } from '../../helpers/spelt.ts';

/** A step that is due, or one that is so already. */
function want(id: string, { due = true, ...rest }: { due?: boolean } & Partial<Spelt<Desired>> = {}): Desired {
  const done = { probe: 'seen', lines: [due ? `not ${id}` : 'all'] };
  return desiredOf({ id, host: 'h', summary: id, action: { kind: 'script', script: ':', done }, ...rest });
}

/** What each planned step waits for. */
function needs(...wanted: readonly Desired[]): Record<string, readonly string[]> {
  const phase = { id: 'p', title: '', summary: '', plan: () => [...wanted] };
  const { steps } = makePlan({ phases: [phase] }, undefined, { h: { ...emptyState, probes: { seen: 'all' } } });
  return Object.fromEntries(steps.map((step) => [step.id, step.needs]));
}

describe('needs of a plan', () => {
  test('reach through steps that are so already to what those would have waited for', () => {
    expect(
      needs(want('a'), want('b', { due: false, needs: ['a'] }), want('c', { due: false, needs: ['b'] }), want('d', { needs: ['c', 'a'] })),
    ).toEqual({ a: [], d: ['a'] });
  });

  test('are met where a step is there that need not be, and a bug where one is not that must', () => {
    expect(needs(want('a'), want('b', { after: ['a', 'unknown'] }))).toEqual({ a: [], b: ['a'] });
    expect(() => needs(want('a', { needs: ['unknown'] }))).toThrow('a needs unknown, which no phase wants');
  });

  test('count as met by phases that are left out, through which order reaches', () => {
    const phase = (id: string, ...wanted: readonly Desired[]) => ({ id, title: '', summary: '', plan: () => [...wanted] });
    const phases = [phase('p', want('a')), phase('q', want('b', { needs: ['a'] })), phase('r', want('c', { needs: ['b'] }))];
    const { steps } = makePlan({ phases, skip: ['q'] }, undefined, {});
    expect(steps.map((step) => [step.id, step.needs])).toEqual([
      ['a', []],
      ['c', ['a']],
    ]);
  });

  test('reach through steps that were only to accompany others', () => {
    const gate = want('gate', { needs: ['unit'], onlyIfAny: ['unit'] });
    const after = want('after', { needs: ['gate'] });
    expect(needs(want('first'), want('unit', { due: false, needs: ['first'] }), gate, after)).toEqual({ first: [], after: ['first'] });
    expect(needs(want('first'), want('unit', { needs: ['first'] }), gate, after)).toEqual({
      first: [],
      unit: ['first'],
      gate: ['unit'],
      after: ['gate'],
    });
  });

  test('reach through steps that a playbook leaves alone', () => {
    const wanted = [want('a'), want('pending', { needs: ['a'] }), want('b', { needs: ['pending'] })];
    const phase = { id: 'p', title: '', summary: '', plan: () => wanted };
    const plan = makePlan({ phases: [phase], only: () => (step) => step.id !== 'pending' }, undefined, {});
    expect(plan.steps.map((step) => [step.id, step.needs])).toEqual([
      ['a', []],
      ['b', ['a']],
    ]);
  });
});
