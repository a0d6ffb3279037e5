import { expect, test } from '@jest/globals';
import { flagProblems } from '../../../src/config/flags.ts';

const printed = { kubelet: { version: '1.36.3', names: ['max-pods', 'node-ip', 'v'] } };

test('a flag that the component does not print is a problem at its place, with the one that was probably meant', () => {
  expect(flagProblems({ components: { kubelet: { args: { 'max-pod': '9', v: '2', 'frobnicate-all': 'x' } } } }, printed)).toEqual([
    {
      path: ['spec', 'components', 'kubelet', 'args', 'max-pod'],
      atKey: true,
      message: 'kubelet 1.36.3 has no flag --max-pod',
      hint: 'Did you mean max-pods?',
    },
    {
      path: ['spec', 'components', 'kubelet', 'args', 'frobnicate-all'],
      atKey: true,
      message: 'kubelet 1.36.3 has no flag --frobnicate-all',
      hint: 'kubelet --help lists the flags that it has.',
    },
  ]);
});

test('nothing is said of a component whose flags are not known', () => {
  expect(flagProblems({ components: { etcd: { args: { nonsense: 'x' } } } }, printed)).toEqual([]);
});
