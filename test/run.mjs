// npm test [-- LEVEL... [--changed REVISION] [JEST ARGUMENT...]]: sets this machine up and runs the tests of these levels (unit, integration, lab, soak; default: the
// first three). The last line is `N passed, N failed`, with `, N skipped` when some were; a set-up that fails counts as one failed test.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  build,
  fetchBinaries,
  installDependencies,
  installPackages,
  makeLabImage,
  requireNode,
  root,
  step,
  useGoModules,
} from './setup.mjs';
import { labSuitesFor } from './suites.mjs';
import { countsOf, failuresOf, onHosts, readArguments, suitesOf, table, verdict } from './totals.mjs';

const { levels, changed, jestArguments } = readArguments(process.argv.slice(2));

const counts = [];
const suites = [];
const failures = [];
try {
  await setUp();
  for (const level of levels) counts.push(await runLevel(level, concerned(level)));
} catch (error) {
  console.error(`Set-up failed: ${error.message}`);
  for (let cause = error.cause; cause !== undefined; cause = cause.cause) console.error(`  because: ${cause.message}`);
  if (error.evidence) console.error(error.evidence);
  if (error.hint) console.error(error.hint);
  counts.push({ passed: 0, failed: 1, skipped: 0 });
}
if (suites.length > 0) console.log(table(suites));
for (const failure of failures) console.log(failure);
const { line, exitCode } = verdict(counts);
process.exitCode = exitCode;
console.log(line);

async function setUp() {
  useGoModules();
  requireNode();
  await installDependencies();
  await installPackages(levels);
  await build();
  if (!levels.some((level) => onHosts.includes(level))) return;
  await fetchBinaries();
  await makeLabImage();
}

/** Jest's arguments for what has changed since a revision, the working tree included; none: everything. */
function concerned(level) {
  if (changed === undefined || level === 'soak') return [];
  if (level !== 'lab') return ['--changedSince', changed];
  const git = (...words) => execFileSync('git', words, { cwd: root, encoding: 'utf8' }).split('\n');
  const files = [...git('diff', '--name-only', changed), ...git('ls-files', '--others', '--exclude-standard')].filter(
    (file) => file !== '',
  );
  const suites = labSuitesFor(files);
  // A path that no test has: nothing is run.
  return suites.length === 0 ? ['--testPathPatterns', '^$'] : suites.map((name) => join(root, `test/${level}/${name}.test.ts`));
}

async function runLevel(level, only) {
  const { $ } = await import('zx');
  const directory = mkdtempSync(join(tmpdir(), 'slipway-test-'));
  const file = join(directory, 'report.json');
  const made = join(directory, 'made');
  writeFileSync(made, '');
  // Hosts share the machine's cores, so their tests take turns; an install on a slow machine takes minutes. What a failed test has left running
  // must not keep the run from its end.
  const pace = onHosts.includes(level) ? ['--runInBand', '--forceExit', '--testTimeout', String(30 * 60_000)] : [];
  const sequencer = ['--testSequencer', join(root, 'test/sequencer.mjs')];
  const options = [
    '--json',
    '--outputFile',
    file,
    '--selectProjects',
    level,
    '--passWithNoTests',
    ...sequencer,
    ...pace,
    ...only,
    ...jestArguments,
  ];
  const flags = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'];
  try {
    const env = { ...process.env, SLIPWAY_TEST_MADE: made };
    const run = $({ cwd: root, env, stdio: ['inherit', 'ignore', 'inherit'], nothrow: true });
    const jest = join(root, 'node_modules/jest/bin/jest.js');
    const { exitCode } = await step(`${level} tests`, () => run`${process.execPath} ${flags} ${jest} ${options}`);
    const report = readReport(file);
    suites.push(...suitesOf(report, readFileSync(made, 'utf8')).map((suite) => ({ level, ...suite })));
    failures.push(...failuresOf(report));
    return countsOf(report, exitCode);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** undefined when Jest ended before it could write one. */
function readReport(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}
