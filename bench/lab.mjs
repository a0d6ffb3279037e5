import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { prepareLab, root, useGoModules } from '../test/setup.mjs';

/** Everything that an install on hosts of this machine needs, and the directory and the lab for it. `flags`: of `lab up`. */
export async function benchLab(name, flags = []) {
  useGoModules();
  await prepareLab(['bench']);
  const { $ } = await import('zx');
  const work = mkdtempSync(join(tmpdir(), 'slipway-bench-'));
  const directory = join(work, 'lab');
  const quiet = $({ cwd: work, quiet: true });
  const slipway = [process.execPath, join(root, 'bin/slipway.js')];
  return {
    work,
    directory,
    clusterFile: join(directory, 'cluster.yaml'),
    quiet,
    slipway,
    /** Of the hosts there are now, the control plane's first. */
    addresses: [],
    /** Hosts that nobody has touched; resolves with their addresses. */
    async fresh() {
      await quiet`${slipway} lab down --name ${name}`;
      rmSync(directory, { recursive: true, force: true });
      mkdirSync(directory);
      await quiet`${slipway} lab up --name ${name} --directory ${directory} ${flags}`;
      copyFileSync(join(directory, 'known_hosts'), join(directory, 'known_hosts.straight'));
      const text = readFileSync(join(directory, 'cluster.yaml'), 'utf8');
      this.addresses = [...text.matchAll(/address: ([\d.]+)/g)].map((match) => match[1]);
      return this.addresses;
    },
    async end() {
      await quiet`${slipway} lab down --name ${name}`.nothrow();
      rmSync(work, { recursive: true, force: true });
    },
  };
}
