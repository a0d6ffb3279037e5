// npm run bench:install [-- ROUNDS]: installs the same cluster by the hand-written oracle (bench/install.sh) and by slipway, in turn, on fresh hosts
// of this machine, and prints seconds, their ratio, round trips and bytes. Run it on an idle machine.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build, buildBinaries, installDependencies, installPackages, makeLabImage, requireNode, root } from '../test/setup.mjs';

const rounds = Number(process.argv[2] ?? 3);
requireNode();
await installDependencies();
await installPackages(['lab']);
await build();
await buildBinaries();
await makeLabImage();

const { $ } = await import('zx');
const { artefactsFor, kubernetesVersions } = await import('../dist/src/artifacts/catalogue.js');
const { defaultCacheDirectory } = await import('../dist/src/artifacts/directories.js');
const { goSource } = await import('../dist/src/artifacts/go/source.js');
const { createStore } = await import('../dist/src/artifacts/store.js');

const work = mkdtempSync(join(tmpdir(), 'slipway-bench-'));
const quiet = $({ cwd: work, quiet: true });
const slipway = [process.execPath, join(root, 'bin/slipway.js')];
const lab = 'bench';

/** The oracle's directory of binaries, from the same cache. */
async function binariesDirectory() {
  const directory = join(defaultCacheDirectory(), 'bench', kubernetesVersions.at(-1));
  if (existsSync(join(directory, 'complete'))) return directory;
  mkdirSync(join(directory, 'cni'), { recursive: true });
  const store = createStore({ cacheDirectory: defaultCacheDirectory(), source: goSource() });
  for (const locked of await store.resolve(
    artefactsFor({ kubernetesVersion: kubernetesVersions.at(-1), arch: process.arch === 'arm64' ? 'arm64' : 'amd64' }),
  )) {
    for (const file of Object.keys(locked.files)) {
      const path = await store.path(locked, file);
      if (!file.endsWith('.tar')) {
        const place = join(directory, locked.name === 'cni-plugins' ? 'cni' : '.', file);
        rmSync(place, { force: true });
        symlinkSync(path, place);
        continue;
      }
      // The one binary of an image is in the one layer of its archive.
      const name = locked.name.replace('image-', '');
      const unpacked = mkdtempSync(join(work, 'image-'));
      await quiet`tar -xf ${path} -C ${unpacked}`;
      await quiet`cd ${unpacked}/blobs/sha256 && for blob in *; do tar -xf $blob -C ${directory} ${name} 2>/dev/null || tar -xf $blob -C ${directory} ./${name} 2>/dev/null || :; done`;
    }
  }
  await quiet`touch ${join(directory, 'complete')}`;
  return directory;
}

async function freshHosts() {
  await quiet`${slipway} lab down --name ${lab}`;
  await quiet`rm -rf ${join(work, 'lab')}`;
  mkdirSync(join(work, 'lab'));
  await quiet`${slipway} lab up --name ${lab} --directory ${join(work, 'lab')}`;
  const text = readFileSync(join(work, 'lab/cluster.yaml'), 'utf8');
  return [...text.matchAll(/address: ([\d.]+)/g)].map((match) => match[1]);
}

async function oracle(directory) {
  const addresses = await freshHosts();
  const start = performance.now();
  const { stdout, stderr } =
    await quiet`${join(root, 'bench/install.sh')} --binaries ${directory} --key lab/id_ed25519 --known-hosts lab/known_hosts ${addresses}`;
  return { seconds: (performance.now() - start) / 1000, said: (stdout + stderr).trim() };
}

/** Until the same state as the oracle's: nodes Ready and CoreDNS available, as the first checks of verify see it. */
async function product() {
  await freshHosts();
  const file = join(work, 'events.ndjson');
  await quiet`${slipway} apply -f ${join(work, 'lab/cluster.yaml')} --yes --events ${file}`;
  const events = readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  const at = (event) => (Date.parse(event.time) - Date.parse(events[0].time)) / 1000;
  const find = (test) => events.find(test);
  const finished = find(({ code }) => code === 'run.finished');
  return {
    seconds: at(find(({ code, id }) => code === 'check.done' && id === 'coredns')),
    stages: Object.fromEntries(events.filter(({ code }) => code === 'stage').map((event) => [event.stage, at(event)])),
    verified: at(finished),
    stats: finished.stats,
  };
}

try {
  const directory = await binariesDirectory();
  const rows = [];
  for (let round = 1; round <= rounds; round++) {
    const hand = await oracle(directory);
    const ours = await product();
    rows.push({ hand: hand.seconds, ours: ours.seconds });
    console.log(
      `round ${round}: oracle ${hand.seconds.toFixed(1)} s, slipway ${ours.seconds.toFixed(1)} s, ratio ${(ours.seconds / hand.seconds).toFixed(2)}`,
    );
    console.log(`  oracle: ${hand.said.replaceAll('\n', '; ')}`);
    console.log(
      `  slipway: ${Object.entries(ours.stages)
        .map(([stage, seconds]) => `${stage} at ${seconds.toFixed(1)}`)
        .join(', ')}; whole verification done at ${ours.verified.toFixed(1)} s`,
    );
    for (const [host, { roundTrips, bytesSent }] of Object.entries(ours.stats))
      console.log(`  ${host}: 1 connection, ${roundTrips} round trips, ${(bytesSent / 1e6).toFixed(0)} MB sent`);
  }
  const median = (key) => {
    const sorted = rows.map((row) => row[key]).sort((x, y) => x - y);
    return (sorted[(rows.length - 1) >> 1] + sorted[rows.length >> 1]) / 2;
  };
  console.log(
    `median: oracle ${median('hand').toFixed(1)} s, slipway ${median('ours').toFixed(1)} s, ratio ${(median('ours') / median('hand')).toFixed(2)} (aim: 1.15)`,
  );
} finally {
  await quiet`${slipway} lab down --name ${lab}`.nothrow();
  rmSync(work, { recursive: true, force: true });
}
