import { describe, expect, test } from '@jest/globals';
import { neverBegun, refuseCircles, type Ordered } from '../../../src/engine/order.ts';
import { OPERATOR, type Step } from '../../../src/engine/step.ts';
import { createRandom } from '../../helpers/random.ts';
import { stuck } from '../phases/context.ts';
import { stepOf } from '../../helpers/spelt.ts';

const step = (id: string, needs: readonly string[] = [], lane: Step['lane'] = 'main'): Ordered =>
  stepOf({ id, host: id.split('/')[0]!, phase: 'p', summary: id, reason: '', action: { kind: 'script', script: ':' }, lane, needs });
const circle = (message: string): unknown => expect.objectContaining({ code: 'BUG', message });

describe('steps that could never begin are refused', () => {
  test('none: order within a lane, needs between lanes and hosts, and none between work on this machine', () => {
    refuseCircles([]);
    refuseCircles([step('a/1', ['a/2']), step('a/2', [], 'packages'), step('b/1', ['a/1'])]);
    refuseCircles([step(`${OPERATOR}/use`, [`${OPERATOR}/fetch`]), step(`${OPERATOR}/fetch`)]);
  });

  test.each([
    ['two hosts', [step('a/1', ['b/1']), step('b/1', ['a/1'])], 'a/1 waits for b/1 waits for a/1'],
    ['one that needs what its lane has later', [step('a/1', ['a/2']), step('a/2')], 'a/1 waits for a/2 waits for a/1'],
    ['itself', [step('a/1', ['a/1'])], 'a/1 waits for a/1'],
    [
      'a circle that others wait for',
      [step('c/1', ['a/1']), step('a/1', ['b/2']), step('b/1', ['a/1']), step('b/2')],
      'a/1 waits for b/2 waits for b/1 waits for a/1',
    ],
  ])('%s', (_, steps, path) => {
    expect(() => refuseCircles(steps)).toThrow(circle(`steps of the plan wait for each other: ${path}`));
  });

  test('one whose need is not planned', () => {
    expect(() => refuseCircles([step('a/1'), step('a/2', ['b/gone'])])).toThrow(
      circle('a step of the plan waits for one that is not planned: a/2 waits for b/gone'),
    );
  });
});

test.each(Array.from({ length: 50 }, (_, i) => i))('they are those that are left when hosts work as far as they can (%d)', (seed) => {
  const random = createRandom(seed);
  const ids = Array.from({ length: 1 + random.below(12) }, (_, i) => `${random.pick(['a', 'b', OPERATOR])}/${i}`);
  const steps = ids.map((id) =>
    step(id, random.below(2) === 0 ? random.some(ids, random.below(3)) : [], random.pick(['main', 'packages'])),
  );
  expect(neverBegun(steps).map(({ id }) => id)).toEqual(stuck(steps as Step[]));
});
