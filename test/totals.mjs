// The arithmetic of npm test, apart from what it runs.

import { basename } from 'node:path';
import { stripVTControlCharacters } from 'node:util';

export const knownLevels = ['unit', 'integration', 'lab', 'soak'];
export const onHosts = ['lab', 'soak'];

/** Levels come first on the command line, then perhaps `--changed REVISION`; everything after them goes to Jest. */
export function readArguments(words) {
  const first = words.findIndex((word) => !knownLevels.includes(word));
  const levels = first === -1 ? words : words.slice(0, first);
  const rest = first === -1 ? [] : words.slice(first);
  const [changed, jestArguments] = rest[0] === '--changed' ? [rest[1] ?? 'HEAD', rest.slice(2)] : [undefined, rest];
  return { levels: levels.length > 0 ? levels : ['unit', 'integration', 'lab'], changed, jestArguments };
}

/** Counts of one Jest run from its JSON report. A file that cannot be loaded, and a Jest that fails without a failed test, count as one failure each. */
export function countsOf(report, exitCode) {
  if (report === undefined) return { passed: 0, failed: 1, skipped: 0 };
  const failed = report.numFailedTests + report.numRuntimeErrorTestSuites;
  return {
    passed: report.numPassedTests,
    failed: failed === 0 && exitCode !== 0 ? 1 : failed,
    skipped: report.numPendingTests + report.numTodoTests,
  };
}

/** The last line, and the exit code: nothing passed is a failure too. */
export function verdict(counts) {
  const sum = (key) => counts.reduce((total, count) => total + count[key], 0);
  const [passed, failed, skipped] = [sum('passed'), sum('failed'), sum('skipped')];
  return {
    line: `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`,
    exitCode: passed > 0 && failed === 0 ? 0 : 1,
  };
}

/**
 * One row for each file of tests: its seconds, its tests, and what it made. `made` has lines like `/repo/test/lab/a.test.ts installation`, which
 * the helpers write.
 */
export function suitesOf(report, made) {
  const lines = made.split('\n').map((line) => line.split(' '));
  const count = (path, what) => lines.filter(([of, kind]) => of === path && kind === what).length;
  return (report?.testResults ?? []).map(({ name, startTime, endTime, assertionResults }) => ({
    name: basename(name, '.test.ts'),
    seconds: (endTime - startTime) / 1000,
    tests: assertionResults.length,
    labs: count(name, 'lab'),
    restored: count(name, 'restored'),
    installations: count(name, 'installation'),
  }));
}

/** Of a message, so that a failed test takes no more of the end of a long output, which may be all that is kept of it. */
const MESSAGE_LINES = 30;

/** One paragraph for each test that failed and each file that could not be run: which it was, and how its message begins. */
export function failuresOf(report) {
  return (report?.testResults ?? []).flatMap(({ name, status, message, assertionResults }) => {
    const failed = assertionResults.filter((result) => result.status === 'failed');
    const said = failed.map(({ fullName, failureMessages }) => [fullName, failureMessages.join('\n')]);
    if (status === 'failed' && said.length === 0) said.push(['could not be run', message]);
    return said.map(([what, why]) => `FAILED ${basename(name)} › ${what}\n${beginning(why)}`);
  });
}

function beginning(message) {
  const lines = stripVTControlCharacters(message)
    .split('\n')
    .filter((line) => line.trim() !== '' && !/^\s+at /.test(line));
  const more = lines.length > MESSAGE_LINES ? [`... and ${lines.length - MESSAGE_LINES} lines more`] : [];
  return [...lines.slice(0, MESSAGE_LINES), ...more].map((line) => `  ${line}`).join('\n');
}

const figures = ['seconds', 'tests', 'labs', 'restored', 'installations'];

/** The suites on hosts a row each, the others a row for each level. */
export function table(suites) {
  const rows = suites.filter(({ level }) => onHosts.includes(level));
  for (const level of new Set(suites.map((suite) => suite.level))) {
    const of = suites.filter((suite) => suite.level === level);
    const sum = (key) => of.reduce((total, suite) => total + suite[key], 0);
    rows.push({ name: `all of ${level}`, ...Object.fromEntries(figures.map((key) => [key, sum(key)])) });
  }
  const columns = ['suite', ...figures];
  const cells = rows.map((row) => [row.name, ...figures.map((key) => row[key].toFixed(0))]);
  const widths = columns.map((column, i) => Math.max(column.length, ...cells.map((line) => line[i].length)));
  return [columns, ...cells]
    .map((line) => line.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  '))
    .join('\n');
}
