// npm run bench:snapshot: how long tests wait for an installed cluster that comes from a snapshot: from the command until all three hosts let in, and until
// the API server says that it is ready. The median of five. Run it on an idle machine.
import { join } from 'node:path';
import { benchLab } from './lab.mjs';

const ROUNDS = 5;
const name = 'bench-snapshot';
const lab = await benchLab(name);
const { KUBECTL } = await import('../dist/src/components/topology.js');
const { labExec } = await import('../dist/src/lab/index.js');
const { median } = await import('./results.mjs');
const { slipway, quiet } = lab;

const since = (start) => (performance.now() - start) / 1000;

await quiet`${slipway} lab snapshots --remove ${name}`.nothrow();
try {
  await lab.fresh();
  await quiet`${slipway} apply --yes -f ${lab.clusterFile}`;
  const start = performance.now();
  await quiet`${slipway} lab snapshot ${name} --as ${name}`;
  console.log(`kept in ${since(start).toFixed(1)} s`);
  const rounds = [];
  for (let round = 1; round <= ROUNDS; round++) {
    await quiet`${slipway} lab down --name ${name}`;
    const from = performance.now();
    await quiet`${slipway} lab up --from ${name} --name ${name} --directory ${join(lab.work, String(round))}`;
    const up = since(from);
    const { exitCode } = await labExec({
      name,
      command: `[ "$(hostname)" != cp-1 ] || until ${KUBECTL} get --raw /readyz >/dev/null 2>&1; do sleep 0.05; done`,
    });
    if (exitCode !== 0) throw new Error('the API server could not be asked');
    rounds.push({ up, ready: since(from) });
    console.log(`${round}: hosts let in after ${up.toFixed(1)} s, the API server is ready after ${since(from).toFixed(1)} s`);
  }
  const of = (key) => median(rounds.map((round) => round[key])).toFixed(1);
  console.log(`median of ${ROUNDS}: ${of('up')} s and ${of('ready')} s`);
} finally {
  await lab.end();
  await quiet`${slipway} lab snapshots --remove ${name}`.nothrow();
}
