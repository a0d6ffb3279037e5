// npm run bench:engine [-- 1,10,100,500 [slipway,ssh,pyinfra,ansible]]: the engine alone. Four idempotent steps on so many hosts by Slipway's own modules, by plain ssh, by pyinfra
// and by Ansible, in turn, twice each: on hosts that nobody has touched, and again. The hosts are addresses of this machine. Run it on an idle machine.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build, installDependencies, installPackages, requireNode, step } from '../test/setup.mjs';

if (process.getuid() !== 0) throw new Error('it needs root, for the hosts');
const sizes = (process.argv[2] ?? '1,10,100,500').split(',').map(Number);
const only = process.argv[3]?.split(',');
const fanOut = 30;
const limitSeconds = 300;
requireNode();
await installDependencies();
await installPackages(['integration']);
await build();

const { startHosts } = await import('./engine/hosts.mjs');
const { measured } = await import('./measure.mjs');
const { tools, versions } = await import('./engine/tools.mjs');
const { machine, median, rounded, today } = await import('./results.mjs');

const described = { date: today(), machine: machine(), versions: await versions() };
const work = mkdtempSync(join(tmpdir(), 'slipway-bench-'));
const appConf = readFileSync(join(import.meta.dirname, 'engine/app.conf'), 'utf8');
/** Small numbers vary more. */
const rounds = (size) => (size <= 10 ? 3 : 1);

async function once(tool, call, { hosts, wanted, run }) {
  const before = hosts.cpuSeconds();
  const env = { ...process.env, ...call.env };
  const result = await measured(call.command, { name: `${tool.name}-${run}`, limitSeconds, cwd: work, env });
  const { seconds, cpuSeconds, memory, output, code, stopped } = result;
  if (stopped) return { stopped: true, end: result.end };
  const changes = tool.changes(output);
  if (code !== 0 || changes !== wanted)
    throw new Error(`${tool.title} ended with code ${code} and ${changes} changes instead of ${wanted}:\n${output}`);
  return { seconds, cpuSeconds, memory, hostsCpuSeconds: hosts.cpuSeconds() - before, output, end: result.end };
}

function requireDone(hosts) {
  for (const address of hosts.addresses) {
    const found = hosts.text(address, 'srv/app/app.conf') + hosts.text(address, 'srv/app/state');
    if (found !== `${appConf.replaceAll('@ADDRESS@', address)}ready\n`) throw new Error(`${address} is not as wanted`);
  }
}

async function pair(tool, hosts) {
  await hosts.clean();
  const call = tool.prepare(hosts);
  const first = await once(tool, call, { hosts, wanted: 4 * hosts.addresses.length, run: 'first' });
  if (!first.stopped) requireDone(hosts);
  const second = first.stopped ? first : await once(tool, call, { hosts, wanted: 0, run: 'second' });
  await first.end();
  if (second !== first) await second.end();
  return { first, second };
}

const middle = (runs) =>
  runs.some(({ stopped }) => stopped)
    ? { stopped: limitSeconds }
    : {
        seconds: rounded(median(runs.map(({ seconds }) => seconds))),
        cpuSeconds: rounded(median(runs.map(({ cpuSeconds }) => cpuSeconds))),
        hostsCpuSeconds: rounded(median(runs.map(({ hostsCpuSeconds }) => hostsCpuSeconds))),
        memoryMB: Math.round(Math.max(...runs.map(({ memory }) => memory)) / 1e6),
      };

async function compare(size) {
  const hosts = await startHosts(size, mkdtempSync(join(work, `${size}-`)));
  try {
    const compared = (await tools(work, { fanOut })).filter(({ name }) => only?.includes(name) ?? true);
    const runs = new Map(compared.map((tool) => [tool, []]));
    for (let round = 0; round < rounds(size); round++) {
      for (const tool of compared) {
        const before = runs.get(tool);
        if (before.every(({ first }) => !first.stopped)) before.push(await pair(tool, hosts));
      }
    }
    return compared.map((tool) => {
      const of = runs.get(tool);
      return {
        hosts: size,
        tool: tool.name,
        rounds: of.length,
        first: middle(of.map(({ first }) => first)),
        second: middle(of.map(({ second }) => second)),
      };
    });
  } finally {
    await hosts.stop();
  }
}

function line({ tool, first, second }, ours) {
  const cell = (found, base) =>
    found.stopped
      ? `stopped after ${found.stopped} s`
      : `${found.seconds.toFixed(2)} s (${(found.seconds / base.seconds).toFixed(2)}), ${found.cpuSeconds.toFixed(2)} s of processor here, ` +
        `${found.hostsCpuSeconds.toFixed(2)} s on the hosts, ${found.memoryMB} MB`;
  console.log(`  ${tool.padEnd(8)} first ${cell(first, ours.first)}; second ${cell(second, ours.second)}`);
}

try {
  const rows = [];
  for (const size of sizes) {
    await step(`${size} ${size === 1 ? 'host' : 'hosts'} (in brackets: times Slipway’s)`, async () => {
      const found = await compare(size);
      for (const row of found) line(row, found[0]);
      rows.push(...found);
    });
  }
  const result = { ...described, fanOut, limitSeconds, rows };
  // Only of the whole run: a part of it is for whoever changes something here.
  if (process.argv.length === 2) (await import('./report.mjs')).keep('engine', result);
} finally {
  rmSync(work, { recursive: true, force: true });
}
