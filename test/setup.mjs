// What a fresh Debian machine with Node and Go needs before tests can run. Plain Node: this file installs zx before it can use it.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export const root = join(import.meta.dirname, '..');

/** What each level needs of the machine. */
const packages = {
  unit: ['openssl', 'zstd', 'openssh-client', 'busybox'],
  integration: [
    'busybox',
    'openssl',
    'zstd',
    'openssh-client',
    'openssh-server',
    'sudo',
    'gcc',
    'libc6-dev',
    'libseccomp-dev',
    'jq',
    'tmux',
    'perl',
    'python3',
  ],
  lab: ['mmdebstrap', 'systemd-container', 'iproute2', 'iptables', 'debian-archive-keyring', 'qemu-system-x86', 'e2fsprogs'],
};
packages.lab.push(...packages.integration);
packages.soak = packages.lab;
packages.bench = [...packages.lab, 'acct'];

/** Says what is being done, and afterwards how long it took. */
export async function step(title, work) {
  console.log(`== ${title}`);
  const start = performance.now();
  const result = await work();
  const seconds = (performance.now() - start) / 1000;
  if (seconds >= 1) console.log(`   ${seconds.toFixed(0)} s`);
  return result;
}

export function requireNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  throw new Error(`Node.js 20.19 or newer is needed, this is ${process.versions.node}`);
}

/**
 * `npm ci` when node_modules is missing or is not what package-lock.json says. A registry that lacks the optional packages of other systems
 * leaves a lock file that `npm ci` calls out of sync; `npm install` then installs the same, locked versions.
 */
export async function installDependencies() {
  const stale = staleDependency();
  if (stale === undefined) return;
  await step(`npm ci (${stale})`, () => {
    const { status, stdout, stderr } = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel', 'error'], {
      cwd: root,
      encoding: 'utf8',
    });
    if (status === 0) return;
    if (!stderr?.includes('EUSAGE')) throw new Error('npm ci failed', { cause: new Error(`${stdout}${stderr}`.trim()) });
    console.log('   the lock file lacks packages for other systems: npm install');
    inherit('npm', ['install', '--no-save', '--no-audit', '--no-fund', '--loglevel', 'error']);
  });
  const still = staleDependency();
  if (still !== undefined) throw new Error(`npm has installed something else than package-lock.json says: ${still}`);
}

function staleDependency() {
  const installedPath = join(root, 'node_modules/.package-lock.json');
  if (!existsSync(installedPath)) return 'node_modules is missing';
  const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
  const installed = JSON.parse(readFileSync(installedPath, 'utf8')).packages;
  const declared = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  for (const [name, version] of Object.entries({ ...declared.dependencies, ...declared.devDependencies })) {
    if (wanted[`node_modules/${name}`]?.version !== version)
      throw new Error(`package-lock.json does not have ${name} ${version}: run npm install`);
  }
  for (const [path, { version, optional, peer }] of Object.entries(wanted)) {
    if (path === '') continue;
    // Optional ones may be for other systems.
    if (installed[path] === undefined ? !optional && !peer : installed[path].version !== version) return `${path} is not at ${version}`;
  }
  return undefined;
}

/** Installs the Debian packages of these levels that are missing, and starts none of their services. */
export async function installPackages(levels) {
  const missing = missingPackages([...new Set(levels.flatMap((level) => packages[level] ?? []))]);
  if (missing.length === 0) return;
  if (process.getuid() !== 0) throw new Error(`These Debian packages are missing, and only root can install them: ${missing.join(' ')}`);
  await step(`apt-get install ${missing.join(' ')}`, () => {
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    inherit('apt-get', ['update', '--quiet'], { env });
    withoutStartingServices(() => inherit('apt-get', ['install', '--yes', '--quiet', '--no-install-recommends', ...missing], { env }));
  });
}

function missingPackages(names) {
  const query = spawnSync('dpkg-query', ['--show', '--showformat', '${Package} ${db:Status-Status}\n', ...names], { encoding: 'utf8' });
  if (query.error) throw new Error('The tests set themselves up on Debian: dpkg-query is not here', { cause: query.error });
  const installed = new Set(query.stdout.split('\n').flatMap((line) => (line.endsWith(' installed') ? [line.split(' ')[0]] : [])));
  return names.filter((name) => !installed.has(name));
}

const policyFile = '/usr/sbin/policy-rc.d';
const policyMark = '# Written by the set-up of the Slipway tests: no service starts while packages are installed.';

/** openssh-server would start sshd. invoke-rc.d(8) asks this program first; 101 means no. */
function withoutStartingServices(work) {
  if (existsSync(policyFile) && !readFileSync(policyFile, 'utf8').includes(policyMark)) return work();
  writeFileSync(policyFile, `#!/bin/sh\n${policyMark}\nexit 101\n`, { mode: 0o755 });
  try {
    return work();
  } finally {
    rmSync(policyFile, { force: true });
  }
}

export async function build() {
  await step('npm run build', () => inherit('npm', ['run', '--silent', 'build']));
}

/** For tests and benches: whether a release site answers makes no difference to what they run. */
export function useGoModules() {
  process.env.SLIPWAY_ARTIFACTS_SOURCE ??= 'go';
}

/** Binaries of the newest version that the catalogue knows, into the user's cache: once, and nothing later. From SLIPWAY_ARTIFACTS_SOURCE; unset: releases where they can be reached. */
export async function fetchBinaries() {
  const { artefactsFor, kubernetesVersions } = await import('../dist/src/artifacts/catalogue.js');
  const { defaultCacheDirectory } = await import('../dist/src/artifacts/directories.js');
  const { releasesReachable, sourceFor } = await import('../dist/src/artifacts/sources.js');
  const { createStore } = await import('../dist/src/artifacts/store.js');
  const kubernetesVersion = kubernetesVersions.at(-1);
  const arch = { x64: 'amd64', arm64: 'arm64' }[process.arch];
  const source = process.env.SLIPWAY_ARTIFACTS_SOURCE ?? ((await releasesReachable()) ? 'release' : 'go');
  const store = createStore({ cacheDirectory: defaultCacheDirectory(), source: sourceFor({ source, overrides: {} }) });
  const how = source === 'go' ? 'built from Go modules once, about 20 minutes on two cores' : 'fetched once';
  await step(`binaries of Kubernetes ${kubernetesVersion} (${how})`, () =>
    store.resolve(artefactsFor({ kubernetesVersion, arch }), {
      onProgress({ artefact, state, seconds, detail }) {
        if (state === 'working' && detail === undefined) return;
        const what = {
          waiting: 'waits for another process',
          started: 'started',
          working: detail,
          finished: `done in ${Math.round(seconds)} s`,
        }[state];
        console.log(`   ${artefact.name} ${artefact.version}: ${what}`);
      },
    }),
  );
}

/** The root file systems of lab hosts, made from the machine's own Debian mirror into the user's cache. */
export async function makeLabImage() {
  const { image } = await import('../dist/src/lab/image.js');
  await step('the images of lab hosts', async () => {
    const kinds = [{ release: 'bookworm' }, { release: 'bullseye' }, { release: 'trixie' }, { release: 'bookworm', vm: true }];
    for (const kind of kinds) await image(kind, (text) => console.log(`   ${text}`));
  });
}

/** Everything that an installation on lab hosts of this machine needs; `levels` as for `installPackages`. */
export async function prepareLab(levels = ['lab']) {
  requireNode();
  await installDependencies();
  await installPackages(levels);
  await build();
  await fetchBinaries();
  await makeLabImage();
}

function inherit(command, args, options = {}) {
  const { status, signal, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit', ...options });
  if (error) throw error;
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${signal ?? `exit code ${status}`}`);
}
