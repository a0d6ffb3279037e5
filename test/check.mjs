// npm run check: types, lint, format, and whether generated files are fresh. Runs all of them and fails if one does.
import { installDependencies, requireNode, root, step } from './setup.mjs';

requireNode();
await installDependencies();
const { $ } = await import('zx');
const run = $({ cwd: root, stdio: 'inherit', nothrow: true, preferLocal: true });
const cache = 'node_modules/.cache';

const checks = [
  ['types', () => run`tsc --noEmit -p .`],
  ['lint', () => run`eslint . --max-warnings 0`],
  ['format', () => run`prettier . --check --cache --cache-location ${cache}/prettier --log-level warn`],
  ['build, for what is generated', () => run`tsc -p tsconfig.build.json`],
  ['generated files', () => run`${process.execPath} test/generate.mjs --check`],
];

const failed = [];
for (const [name, check] of checks) {
  const { exitCode } = await step(name, check);
  if (exitCode !== 0) failed.push(name);
}
console.log(failed.length === 0 ? 'All checks passed.' : `Failed: ${failed.join(', ')}.`);
process.exitCode = failed.length === 0 ? 0 : 1;
