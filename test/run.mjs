// npm test [-- LEVEL... [JEST ARGUMENT...]]: sets this machine up and runs the tests of these levels (unit, integration, lab, soak; default: the
// first three). The last line is `N passed, N failed`, with `, N skipped` when some were; a set-up that fails counts as one failed test.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build, buildBinaries, installDependencies, installPackages, makeLabImage, requireNode, root, step } from './setup.mjs';

const known = ['unit', 'integration', 'lab', 'soak'];
const onHosts = new Set(['lab', 'soak']);

const words = process.argv.slice(2);
const firstOther = words.findIndex((word) => !known.includes(word));
const named = firstOther === -1 ? words : words.slice(0, firstOther);
const levels = named.length > 0 ? named : ['unit', 'integration', 'lab'];
const jestArguments = firstOther === -1 ? [] : words.slice(firstOther);

const totals = { passed: 0, failed: 0, skipped: 0 };
try {
  await setUp();
  for (const level of levels) add(await runLevel(level));
} catch (error) {
  console.error(`Set-up failed: ${error.message}`);
  for (let cause = error.cause; cause !== undefined; cause = cause.cause) console.error(`  because: ${cause.message}`);
  if (error.evidence) console.error(error.evidence);
  if (error.hint) console.error(error.hint);
  totals.failed++;
}
process.exitCode = totals.passed > 0 && totals.failed === 0 ? 0 : 1;
console.log(`${totals.passed} passed, ${totals.failed} failed${totals.skipped > 0 ? `, ${totals.skipped} skipped` : ''}`);

async function setUp() {
  requireNode();
  await installDependencies();
  await installPackages(levels);
  await build();
  if (!levels.some((level) => onHosts.has(level))) return;
  await buildBinaries();
  await makeLabImage();
}

async function runLevel(level) {
  const { $ } = await import('zx');
  const directory = mkdtempSync(join(tmpdir(), 'slipway-test-'));
  const report = join(directory, 'report.json');
  // Hosts share the machine's cores, so their tests take turns; an install on a slow machine takes minutes.
  const pace = onHosts.has(level) ? ['--runInBand', '--testTimeout', String(30 * 60_000)] : [];
  const options = ['--json', '--outputFile', report, '--selectProjects', level, '--passWithNoTests', ...pace, ...jestArguments];
  const flags = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'];
  try {
    const { exitCode } = await step(
      `${level} tests`,
      () =>
        $({
          cwd: root,
          stdio: ['inherit', 'ignore', 'inherit'],
          nothrow: true,
        })`${process.execPath} ${flags} ${join(root, 'node_modules/jest/bin/jest.js')} ${options}`,
    );
    return counts(report, exitCode);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** A file that cannot be loaded and a jest that fails without a failed test count as one each. */
function counts(report, exitCode) {
  const result = (() => {
    try {
      return JSON.parse(readFileSync(report, 'utf8'));
    } catch {
      return undefined;
    }
  })();
  if (result === undefined) return { passed: 0, failed: 1, skipped: 0 };
  const failed = result.numFailedTests + result.numRuntimeErrorTestSuites;
  return {
    passed: result.numPassedTests,
    failed: failed === 0 && exitCode !== 0 ? 1 : failed,
    skipped: result.numPendingTests + result.numTodoTests,
  };
}

function add(more) {
  for (const key of Object.keys(totals)) totals[key] += more[key];
}
