import { expect, test } from '@jest/globals';
import { didYouMean, editDistance } from '../../../src/config/suggest.ts';

test.each([
  ['adress', 'address'],
  ['Address', 'address'],
  ['private_address', 'privateAddress'],
  ['ip', 'address'],
  ['rolse', 'roles'],
  ['lables', 'labels'],
  ['zzz', undefined],
  ['', undefined],
  ['constructor', undefined],
  ['__proto__', undefined],
])('for %s, %s is suggested', (word, expected) => {
  expect(didYouMean(word, ['name', 'address', 'privateAddress', 'roles', 'labels', 'taints'])).toBe(expected);
});

test('a synonym is only suggested where it is known', () => {
  expect(didYouMean('master', ['worker', 'control-plane'])).toBe('control-plane');
  expect(didYouMean('master', ['a', 'b'])).toBeUndefined();
});

test.each([
  ['', '', 0],
  ['a', '', 1],
  ['kitten', 'sitting', 3],
  ['rolse', 'roles', 1],
  ['abc', 'abc', 0],
])('from "%s" to "%s" it is %i', (a, b, distance) => {
  expect(editDistance(a, b)).toBe(distance);
  expect(editDistance(b, a)).toBe(distance);
});
