// The operator's process of the engine bench: `slipway.mjs HOSTS.json` brings four steps about on every host through the product's own modules,
// from the connections to the journal on the hosts, and prints what it did as JSON.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setMaxListeners } from 'node:events';
import { stampScript } from '../../dist/src/engine/lock.js';
import { runPipeline } from '../../dist/src/engine/pipeline.js';
import { inspectScript, parseState } from '../../dist/src/engine/state.js';
import { createFleet } from '../../dist/src/remote/fleet.js';

const { addresses, port, identityFile, knownHosts, fanOut } = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const appConf = readFileSync(join(import.meta.dirname, 'app.conf'), 'utf8');
const stop = new AbortController();
setMaxListeners(0, stop.signal);

const fleet = createFleet(
  addresses.map((address) => ({
    name: address,
    address,
    port,
    user: 'root',
    identityFiles: [identityFile],
    agent: false,
    agentSocket: 'none',
    become: 'none',
    hostKeys: 'strict',
    knownHosts: [knownHosts],
    jump: [],
    connectTimeoutMs: 30_000,
  })),
  { concurrency: fanOut, signal: stop.signal },
);

const phase = {
  id: 'app',
  title: 'Application',
  summary: 'A directory, a file, a link and a command.',
  plan: (hosts) =>
    hosts.flatMap((host) => {
      const step = (id, words, action) => ({ id: `${host}/app/${id}`, host, words, action });
      const root = { owner: 'root:root' };
      return [
        step('directory', 'make /srv/app', { kind: 'directory', path: '/srv/app', mode: '0750', ...root }),
        step('file', 'write /srv/app/app.conf', {
          kind: 'file',
          path: '/srv/app/app.conf',
          mode: '0640',
          ...root,
          content: { text: appConf.replaceAll('@ADDRESS@', host) },
        }),
        step('link', 'link /srv/current', { kind: 'link', path: '/srv/current', target: '/srv/app' }),
        step('command', 'make the state', {
          kind: 'script',
          script: 'echo ready >/srv/app/state',
          done: { probe: 'state', lines: ['ready'] },
        }),
      ];
    }),
};

const script = [
  inspectScript({ roots: ['/srv'], directories: [], units: [], sysctls: [], probes: { state: '[ -e /srv/app/state ] && echo ready' } }),
  "echo '=====stamp====='",
  stampScript,
].join('\n');

async function gather() {
  const read = await Promise.all(
    addresses.map(async (host) => {
      const { stdout } = await (await fleet.runner(host)).run(script, { signal: stop.signal });
      const [state, stamp] = stdout.split('=====stamp=====\n');
      return { host, state: parseState(state, []), stamp: stamp.trim() };
    }),
  );
  return {
    context: addresses,
    states: Object.fromEntries(read.map(({ host, state }) => [host, state])),
    stamps: Object.fromEntries(read.map(({ host, stamp }) => [host, stamp])),
  };
}

const start = performance.now();
const stages = {};
let roundTrips = 0;
const finish = await runPipeline({
  playbook: { verb: 'bench', phases: [phase] },
  gather,
  check: async () => {},
  confirm: async () => true,
  verify: async () => {},
  runner: fleet.runner,
  operator: () => ({ materials: {}, local: {} }),
  lock: { run: `bench-${process.pid}`, operator: 'bench', verb: 'bench', since: new Date().toISOString() },
  emit: (event) => {
    if (event.code === 'stage') stages[event.stage] = Math.round(performance.now() - start);
  },
  stop: stop.signal,
});
for (const host of addresses) roundTrips = Math.max(roundTrips, (await fleet.runner(host)).stats.roundTrips);
stages.close = Math.round(performance.now() - start);
await fleet.closeAll();
stages.end = Math.round(performance.now() - start);
console.log(JSON.stringify({ changed: finish.kind === 'changed' ? finish.outcome.done : 0, roundTrips, stages }));
