// npm test [-- LEVEL... [JEST ARGUMENT...]]: sets this machine up and runs the tests of these levels (unit, integration, lab, soak; default: the
// first three). The last line is `N passed, N failed`, with `, N skipped` when some were; a set-up that fails counts as one failed test.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build, buildBinaries, installDependencies, installPackages, makeLabImage, requireNode, root, step } from './setup.mjs';
import { countsOf, readArguments, verdict } from './totals.mjs';

const onHosts = new Set(['lab', 'soak']);
const { levels, jestArguments } = readArguments(process.argv.slice(2));

const counts = [];
try {
  await setUp();
  for (const level of levels) counts.push(await runLevel(level));
} catch (error) {
  console.error(`Set-up failed: ${error.message}`);
  for (let cause = error.cause; cause !== undefined; cause = cause.cause) console.error(`  because: ${cause.message}`);
  if (error.evidence) console.error(error.evidence);
  if (error.hint) console.error(error.hint);
  counts.push({ passed: 0, failed: 1, skipped: 0 });
}
const { line, exitCode } = verdict(counts);
process.exitCode = exitCode;
console.log(line);

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
  const file = join(directory, 'report.json');
  // Hosts share the machine's cores, so their tests take turns; an install on a slow machine takes minutes.
  const pace = onHosts.has(level) ? ['--runInBand', '--testTimeout', String(30 * 60_000)] : [];
  const options = ['--json', '--outputFile', file, '--selectProjects', level, '--passWithNoTests', ...pace, ...jestArguments];
  const flags = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'];
  try {
    const run = $({ cwd: root, stdio: ['inherit', 'ignore', 'inherit'], nothrow: true });
    const jest = join(root, 'node_modules/jest/bin/jest.js');
    const { exitCode } = await step(`${level} tests`, () => run`${process.execPath} ${flags} ${jest} ${options}`);
    return countsOf(readReport(file), exitCode);
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
