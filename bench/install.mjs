// npm run bench:install [-- ROUNDS]: installs the same cluster by the hand-written oracle (bench/install.sh) and by slipway, in turn, on fresh
// hosts of this machine, and prints seconds, their ratio, what the machine's processors did meanwhile, stages, round trips, bytes, and what an apply
// without changes takes afterwards. Run it on an idle machine.
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
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
const { accounting, stopAccounting } = await import('./accounting.mjs');
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
  const counted = accounting(join(work, 'processes'));
  const start = performance.now();
  const { stdout, stderr } =
    await quiet`${join(root, 'bench/install.sh')} --binaries ${directory} --key lab/id_ed25519 --known-hosts lab/known_hosts --state ${mkdtempSync(join(work, 'state-'))} ${addresses}`;
  return { seconds: rounded((performance.now() - start) / 1000), processor: counted.end(), said: (stdout + stderr).trim() };
}

async function product() {
  await lab.fresh();
  const counted = accounting(join(work, 'processes'));
  let processor;
  const install = await apply(lab, 'install', () => (processor = counted.end()));
  const again = await apply(lab, 'again');
  if (again.steps !== 0) throw new Error(`the second apply did ${again.steps} steps`);
  return { install, again, processor };
}

try {
  const directory = await binariesDirectory();
  const rows = [];
  for (let round = 1; round <= rounds; round++) {
    const hand = await oracle(directory);
    const { install, again, processor } = await product();
    const { ready } = install.stages;
    const ratio = rounded(ready / hand.seconds);
    rows.push({ oracleSeconds: hand.seconds, ratio, processor: { oracle: hand.processor, install: processor }, install, again });
    console.log(
      `round ${round}: oracle ${hand.seconds.toFixed(1)} s, slipway ${ready.toFixed(1)} s, ratio ${ratio.toFixed(2)}; processor seconds of the machine ${hand.processor.all} and ${processor.all}`,
    );
    console.log(`  oracle: ${hand.said.replaceAll('\n', '; ')}`);
    describe(install);
    console.log('  again, with nothing to do:');
    describe(again);
  }
  console.log(`median of the ratios: ${median(rows.map(({ ratio }) => ratio)).toFixed(2)} (aim: 1.15)`);
  keep('install', { ...described, rows });
} finally {
  stopAccounting();
  await lab.end();
}
