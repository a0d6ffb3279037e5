// The arithmetic of npm test, apart from what it runs.

export const knownLevels = ['unit', 'integration', 'lab', 'soak'];

/** Levels come first on the command line; everything after them goes to Jest. */
export function readArguments(words) {
  const first = words.findIndex((word) => !knownLevels.includes(word));
  const levels = first === -1 ? words : words.slice(0, first);
  return { levels: levels.length > 0 ? levels : ['unit', 'integration', 'lab'], jestArguments: first === -1 ? [] : words.slice(first) };
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
