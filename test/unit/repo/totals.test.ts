import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { packageRoot } from '../../../src/base/package-root.ts';

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}
interface Suite {
  name: string;
  seconds: number;
  tests: number;
  labs: number;
  restored: number;
  installations: number;
}
const { countsOf, failuresOf, readArguments, suitesOf, table, verdict } = (await import(join(packageRoot(), 'test/totals.mjs'))) as {
  countsOf: (report: object | undefined, exitCode: number) => Counts;
  failuresOf: (report: object | undefined) => string[];
  readArguments: (words: string[]) => { levels: string[]; changed: string | undefined; jestArguments: string[] };
  suitesOf: (report: object | undefined, made: string) => Suite[];
  table: (suites: (Suite & { level: string })[]) => string;
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
  expect(readArguments([])).toEqual({ levels: ['unit', 'integration', 'lab'], changed: undefined, jestArguments: [] });
  expect(readArguments(['unit', 'lab', '-t', 'lab'])).toEqual({
    levels: ['unit', 'lab'],
    changed: undefined,
    jestArguments: ['-t', 'lab'],
  });
  expect(readArguments(['lab', '--changed', 'main', '-t', 'x'])).toEqual({ levels: ['lab'], changed: 'main', jestArguments: ['-t', 'x'] });
  expect(readArguments(['test/unit/pki']).jestArguments).toEqual(['test/unit/pki']);
});

test('the table has a row for each suite on hosts with what it made, and one for each level', () => {
  const ran = {
    testResults: [
      { name: '/repo/test/lab/a.test.ts', startTime: 1000, endTime: 61_400, assertionResults: [{}, {}] },
      { name: '/repo/test/lab/b.test.ts', startTime: 61_400, endTime: 70_000, assertionResults: [{}] },
    ],
  };
  const made = '/repo/test/lab/a.test.ts lab\n/repo/test/lab/a.test.ts installation\n/repo/test/lab/b.test.ts restored\n';
  const suites = suitesOf(ran, made).map((suite) => ({ level: 'lab', ...suite }));
  const lines = table([...suites, { level: 'unit', name: 'c', seconds: 3, tests: 40, labs: 0, restored: 0, installations: 0 }]).split('\n');
  expect(lines.map((line) => line.split(/ {2,}/).join('|'))).toEqual([
    'suite|seconds|tests|labs|restored|installations',
    'a|60|2|1|0|1',
    'b|9|1|0|1|0',
    'all of lab|69|3|1|1|1',
    'all of unit|3|40|0|0|0',
  ]);
  expect(suitesOf(undefined, '')).toEqual([]);
});

test('what failed is told again at the end, with how its message begins', () => {
  const failureMessages = [`\u001b[31mError\u001b[39m: no\n\n    at x (a.ts:1:1)\n${'more\n'.repeat(40)}`];
  const ran = {
    testResults: [
      {
        name: '/repo/test/lab/a.test.ts',
        status: 'failed',
        message: '',
        assertionResults: [
          { status: 'passed', fullName: 'a works', failureMessages: [] },
          { status: 'failed', fullName: 'a breaks', failureMessages },
        ],
      },
      { name: '/repo/test/lab/b.test.ts', status: 'failed', message: 'cannot find module', assertionResults: [] },
      { name: '/repo/test/lab/c.test.ts', status: 'passed', message: '', assertionResults: [] },
    ],
  };
  const [a, b, ...others] = failuresOf(ran);
  expect(a!.split('\n').slice(0, 3)).toEqual(['FAILED a.test.ts › a breaks', '  Error: no', '  more']);
  expect(a!.split('\n').at(-1)).toBe('  ... and 11 lines more');
  expect([b, ...others]).toEqual(['FAILED b.test.ts › could not be run\n  cannot find module']);
  expect(failuresOf(undefined)).toEqual([]);
});

const { labSuites, labSuitesFor } = (await import(join(packageRoot(), 'test/suites.mjs'))) as {
  labSuites: string[];
  labSuitesFor: (files: string[]) => string[];
};

test('a change of one suite concerns that one, of the documentation none, and of anything else all', () => {
  expect(labSuitesFor(['test/lab/reset.test.ts', 'docs/reset.md', 'README.md'])).toEqual(['reset']);
  expect(labSuitesFor(['docs/reset.md', 'test/unit/repo/totals.test.ts'])).toEqual([]);
  expect(labSuitesFor(['test/lab/reset.test.ts', 'templates/kubelet/config.yaml.hbs'])).toEqual(labSuites);
});

test('the list of suites on hosts has all of them', async () => {
  const files = (await readdir(join(packageRoot(), 'test/lab'))).flatMap((name) => /^(.+)\.test\.ts$/.exec(name)?.[1] ?? []);
  expect([...labSuites].sort()).toEqual(files.sort());
});
