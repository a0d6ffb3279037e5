import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { packageRoot } from '../../../src/base/package-root.ts';

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}
const { countsOf, readArguments, verdict } = (await import(join(packageRoot(), 'test/totals.mjs'))) as {
  countsOf: (report: object | undefined, exitCode: number) => Counts;
  readArguments: (words: string[]) => { levels: string[]; jestArguments: string[] };
  verdict: (counts: Counts[]) => { line: string; exitCode: number };
};

const report = { numPassedTests: 5, numFailedTests: 0, numRuntimeErrorTestSuites: 0, numPendingTests: 0, numTodoTests: 0 };

describe('the verdict of npm test', () => {
  test('sums the levels, and names skipped tests only when there are some', () => {
    const green = [countsOf(report, 0), countsOf({ ...report, numPassedTests: 2 }, 0)];
    expect(verdict(green)).toEqual({ line: '7 passed, 0 failed', exitCode: 0 });
    const skipping = countsOf({ ...report, numPendingTests: 1, numTodoTests: 2 }, 0);
    expect(verdict([...green, skipping])).toEqual({ line: '12 passed, 0 failed, 3 skipped', exitCode: 0 });
  });

  test.each([
    ['a test failed', countsOf({ ...report, numFailedTests: 2 }, 1), '5 passed, 2 failed'],
    ['a file could not be loaded', countsOf({ ...report, numRuntimeErrorTestSuites: 1 }, 1), '5 passed, 1 failed'],
    ['jest failed for another reason', countsOf(report, 1), '5 passed, 1 failed'],
    ['jest wrote no report', countsOf(undefined, 134), '0 passed, 1 failed'],
    ['nothing ran', countsOf({ ...report, numPassedTests: 0 }, 0), '0 passed, 0 failed'],
  ])('is red when %s', (_, counts, line) => {
    expect(verdict([counts])).toEqual({ line, exitCode: 1 });
  });
});

test('levels come first on the command line, the rest is for jest', () => {
  expect(readArguments([])).toEqual({ levels: ['unit', 'integration', 'lab'], jestArguments: [] });
  expect(readArguments(['unit', 'lab', '-t', 'lab'])).toEqual({ levels: ['unit', 'lab'], jestArguments: ['-t', 'lab'] });
  expect(readArguments(['test/unit/pki']).jestArguments).toEqual(['test/unit/pki']);
});
