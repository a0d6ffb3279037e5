import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cgroups, destroyGroup, memoryOf } from '../dist/src/lab/cgroups.js';

const groups = await cgroups();
const accounting = groups.version === 2 ? groups.hierarchies : groups.hierarchies.filter((path) => /memory|cpuacct/.test(path));

/** A control group of its own: what all processes in it use is counted, also of those that nobody waited for. */
export function group(name) {
  const path = `slipway-bench.${process.pid}.${name}`;
  const directories = accounting.map((hierarchy) => join(hierarchy, path));
  for (const directory of directories) mkdirSync(directory);
  return {
    /** Shell text that enters the group and becomes the command in its arguments. */
    enter: `for d in ${directories.join(' ')}; do echo $$ >"$d/cgroup.procs"; done; exec "$@"`,
    cpuSeconds: () => cpuSeconds(directories),
    /** Bytes of memory that its processes share with no file. */
    memory: async () => (await memoryOf(groups, path)) ?? 0,
    end: () => destroyGroup(groups, path),
  };
}

function cpuSeconds(directories) {
  for (const directory of directories) {
    try {
      if (groups.version === 1) return Number(readFileSync(join(directory, 'cpuacct.usage'), 'utf8')) / 1e9;
      return Number(/^usage_usec (\d+)$/m.exec(readFileSync(join(directory, 'cpu.stat'), 'utf8'))[1]) / 1e6;
    } catch (error) {
      if (error.code !== 'ENOENT') throw error;
    }
  }
  throw new Error('processor time is not accounted here');
}

/** Runs a command in a group of its own. What it leaves running (masters of ssh) goes on until `end`. */
export async function measured(command, { name, limitSeconds = 3600, ...options }) {
  const counted = group(name);
  let peak = 0;
  const sampling = setInterval(() => void counted.memory().then((bytes) => (peak = Math.max(peak, bytes))), 50);
  const start = performance.now();
  const child = spawn('sh', ['-c', counted.enter, 'sh', ...command], { stdio: ['ignore', 'pipe', 'pipe'], ...options });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
  let stoppedAt;
  const stop = () => {
    stoppedAt = counted.cpuSeconds();
    void counted.end();
  };
  const limit = setTimeout(stop, limitSeconds * 1000);
  const code = await new Promise((resolve) => child.once('exit', resolve));
  const seconds = (performance.now() - start) / 1000;
  clearTimeout(limit);
  clearInterval(sampling);
  return {
    seconds,
    cpuSeconds: stoppedAt ?? counted.cpuSeconds(),
    memory: peak,
    output,
    code,
    stopped: stoppedAt !== undefined,
    end: counted.end,
  };
}
