import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { packageRoot } from '../../src/base/package-root.ts';
import { removeSnapshot } from '../../src/lab/index.ts';
import { readSnapshots } from '../../src/lab/snapshot-record.ts';
import { labName, labWith, testLab, type TestLab } from './lab.ts';

/** How many hosts the states have that tests start from; the first is the control plane. */
const STATES = { pair: 2, trio: 3 };

/**
 * A cluster that this checkout has installed, as it is right after: hosts, cluster file, lock file and state directory. It is installed once, and again
 * when anything of what installs it has changed; after that it comes from a snapshot. Two tests with the same state take turns.
 */
export async function installedLab(state: keyof typeof STATES): Promise<TestLab> {
  const name = labName(state);
  const label = `${name}-${(await digestOfProduct()).slice(0, 12)}`;
  const labels = (await readSnapshots()).map((snapshot) => snapshot.label);
  if (labels.includes(label)) return well(await labWith(name, ['--from', label]));
  const lab = await testLab(state, { hosts: STATES[state] });
  await lab.ok('apply', '--yes');
  for (const old of labels.filter((each) => each.startsWith(`${name}-`))) await removeSnapshot(old);
  await lab.ok('lab', 'snapshot', name, '--as', label);
  return well(lab);
}

/** Its hosts have just started: what waits for something else needs a moment, on a machine with much to do a long one. */
async function well(lab: TestLab): Promise<TestLab> {
  for (let looks = 1; looks < 4; looks++) if ((await lab.slipway('verify')).exitCode === 0) return lab;
  await lab.ok('verify');
  return lab;
}

/** Of everything that decides what an installation amounts to: the built program, templates, and the libraries' versions. */
async function digestOfProduct(): Promise<string> {
  const root = packageRoot();
  const sum = createHash('sha256');
  for (const top of ['dist', 'templates', 'package-lock.json']) {
    const inside = await readdir(join(root, top), { recursive: true, withFileTypes: true }).catch(() => undefined);
    const files =
      inside === undefined
        ? [join(root, top)]
        : inside.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
    for (const file of files.sort()) sum.update(`${file}\n`).update(await readFile(file));
  }
  return sum.digest('hex');
}
