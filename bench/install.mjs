// npm run bench:install [-- ROUNDS]: installs the same cluster by the hand-written oracle (bench/install.sh) and by slipway, with the load balancer of
// every node and without it (as by hand), in turn, on fresh hosts of this machine, and prints seconds, their ratio, stages, round trips, bytes, and what
// an apply without changes takes afterwards. Run it on an idle machine.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../test/setup.mjs';
import { benchLab } from './lab.mjs';

const rounds = Number(process.argv[2] ?? 3);
const lab = await benchLab('bench');
const { work, quiet } = lab;

const { artefactsFor, kubernetesVersions } = await import('../dist/src/artifacts/catalogue.js');
const { defaultCacheDirectory } = await import('../dist/src/artifacts/directories.js');
const { goSource } = await import('../dist/src/artifacts/go/source.js');
const { createStore } = await import('../dist/src/artifacts/store.js');
const { apply, describe } = await import('./apply.mjs');
const { keep } = await import('./report.mjs');
const { machine, median, rounded, today } = await import('./results.mjs');
const described = { date: today(), machine: machine(), versions: { kubernetes: kubernetesVersions.at(-1), node: process.versions.node } };

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

async function oracle(directory) {
  const addresses = await lab.fresh();
  const start = performance.now();
  const { stdout, stderr } =
    await quiet`${join(root, 'bench/install.sh')} --binaries ${directory} --key lab/id_ed25519 --known-hosts lab/known_hosts --state ${mkdtempSync(join(work, 'state-'))} ${addresses}`;
  return { seconds: rounded((performance.now() - start) / 1000), said: (stdout + stderr).trim() };
}

/** As the script does it: nodes talk to the one API server, and no load balancer is installed. */
async function productAlike() {
  const [first] = await lab.fresh();
  const text = readFileSync(lab.clusterFile, 'utf8');
  writeFileSync(lab.clusterFile, text.replace(/^spec:\n/m, `$&  api: { endpoint: { host: ${first} } }\n`));
  return apply(lab, 'alike');
}

async function product() {
  await lab.fresh();
  const install = await apply(lab, 'install');
  const again = await apply(lab, 'again');
  if (again.steps !== 0) throw new Error(`the second apply did ${again.steps} steps`);
  return { install, again };
}

const inWords = ({ stages: { ready } }, { seconds }) => `${ready.toFixed(1)} s, ratio ${(ready / seconds).toFixed(2)}`;

try {
  const directory = await binariesDirectory();
  const rows = [];
  for (let round = 1; round <= rounds; round++) {
    const hand = await oracle(directory);
    const { install, again } = await product();
    const alike = await productAlike();
    const ratioOf = (run) => rounded(run.stages.ready / hand.seconds);
    rows.push({ oracleSeconds: hand.seconds, ratio: ratioOf(install), alikeRatio: ratioOf(alike), install, again, alike });
    console.log(
      `round ${round}: oracle ${hand.seconds.toFixed(1)} s, slipway ${inWords(install, hand)}, without its load balancer ${inWords(alike, hand)}`,
    );
    console.log(`  oracle: ${hand.said.replaceAll('\n', '; ')}`);
    describe(install);
    console.log('  again, with nothing to do:');
    describe(again);
  }
  const of = (pick) => median(rows.map(pick)).toFixed(2);
  console.log(
    `median of the ratios: ${of(({ ratio }) => ratio)}, without its load balancer ${of(({ alikeRatio }) => alikeRatio)} (aim: 1.15)`,
  );
  keep('install', { ...described, rows });
} finally {
  await lab.end();
}
