import { stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { checkEveryByte } from '../../artifacts/bundle-file.ts';
import { writeBundle, type BundlePart } from '../../artifacts/bundle.ts';
import { artefactsFor } from '../../artifacts/catalogue.ts';
import { contentDigest } from '../../artifacts/digest.ts';
import { defaultCacheDirectory } from '../../artifacts/directories.ts';
import { bundledSystems, codenameOf, isPackages } from '../../artifacts/package-names.ts';
import { openPackages } from '../../artifacts/packages.ts';
import { inMegabytes } from '../../artifacts/progress-text.ts';
import { createStore } from '../../artifacts/store.ts';
import type { Architecture, LockedArtefact } from '../../artifacts/types.ts';
import { packagesFor } from '../../components/packages.ts';
import type { Cluster } from '../../config/cluster.ts';
import { loadCluster } from '../../config/load.ts';
import { osModule } from '../../facts/os/index.ts';
import { aptOptions, aptSources } from '../apt-sources.ts';
import { askSystems, type HostSystem } from '../ask-systems.ts';
import type { Handler } from '../command.ts';
import { exitCodes } from '../exit-code.ts';
import { fetchProgress, interruptible, type FetchProgress } from '../fetch-progress.ts';
import type { Io } from '../io.ts';
import { architectures } from '../options.ts';
import { formatted } from '../output.ts';
import { storeFor } from '../store.ts';
import { table } from '../style.ts';

/** Makes one file of everything that hosts of a cluster file need. */
export const create: Handler = async ({ options }, io) => {
  const clusterFile = resolve(String(options['file']));
  const { cluster } = await loadCluster(String(options['file']));
  const path = bundlePath(cluster, { clusterFile, given: options['output'] });
  const progress = fetchProgress(io);
  await interruptible(io, async (signal) => {
    const systems = await systemsOf(cluster, { options, io, signal });
    const request = { cluster, clusterFile, io, signal, progress };
    try {
      // The packages first: they are few, and what stands in their way is better heard of before a long fetch.
      const packages =
        options['packages'] === false ? [] : await packageParts(systems, { ...request, mirror: options['mirror'] as string | undefined });
      const parts = [...(await artefactParts([...new Set(systems.map(({ arch }) => arch))], request)), ...packages];
      let archives = 0;
      await writeBundle({
        parts,
        path,
        signal,
        onArchive: () => progress.say(`archives: ${++archives} of ${parts.length}`),
        onBytes: (done, total) => progress.say(`writing ${path}: ${inMegabytes(done)} of ${inMegabytes(total)} MB`),
      });
      progress.end();
      io.stdout.write(
        `${await summary(
          path,
          parts.map(({ locked }) => locked),
        )}\n`,
      );
    } finally {
      progress.end();
    }
  });
  io.stderr.write(
    expects(cluster) === path
      ? 'Take it along with the cluster file and cluster.lock.\n'
      : `To install from it, take it along with the cluster file and cluster.lock, and set there: artifacts: { source: { bundle: ${path} } }\n`,
  );
  return exitCodes.ok;
};

/** Reads every byte, and says what is there. */
export const verify: Handler = async ({ args, options }, io) => {
  const path = args[0]!;
  const progress = fetchProgress(io);
  const contents = await interruptible(io, (signal) =>
    checkEveryByte(path, {
      signal,
      onBytes: (done, total) => progress.say(`reading ${path}: ${inMegabytes(done)} of ${inMegabytes(total)} MB`),
    }),
  ).finally(() => progress.end());
  const line = await summary(path, contents.artifacts);
  io.stdout.write(
    formatted(options['output'] as 'text', {
      data: { apiVersion: 'slipway.dev/v1', kind: 'Bundle', path, ...contents },
      text: () =>
        [
          table([
            ['NAME', 'VERSION', 'ARCH', 'FILES', 'DIGEST'],
            ...contents.artifacts.map(({ name, version, arch, files }) => [
              name,
              version,
              arch,
              String(Object.keys(files).length),
              contentDigest(files).slice(0, 12),
            ]),
          ]),
          '',
          `${line}; every byte is as it was written.`,
        ].join('\n'),
    }),
  );
  return exitCodes.ok;
};

async function summary(path: string, artefacts: readonly LockedArtefact[]): Promise<string> {
  const packages = artefacts.filter(isPackages);
  const others = artefacts.filter((artefact) => !isPackages(artefact));
  const list = (words: readonly string[]): string => [...new Set(words)].sort().join(', ');
  const systems = packages.length === 0 ? 'no packages' : `packages of ${list(packages.map(({ name }) => name.replace('packages-', '')))}`;
  return `${path}: ${others.length} artefacts for ${list(others.map(({ arch }) => arch))}, ${systems}, ${inMegabytes((await stat(path)).size)} MB`;
}

/** The bundle that the cluster file installs from. */
function expects({ artifacts: { source } }: Cluster): string | undefined {
  return typeof source === 'object' && 'bundle' in source ? source.bundle : undefined;
}

function bundlePath(cluster: Cluster, { clusterFile, given }: { clusterFile: string; given: unknown }): string {
  if (typeof given === 'string') return resolve(given);
  return expects(cluster) ?? join(dirname(clusterFile), `${cluster.name}-${cluster.kubernetes.version}.bundle`);
}

interface Asking {
  options: Readonly<Record<string, unknown>>;
  io: Io;
  signal: AbortSignal;
}

/** A system whose packages are not in the bundle. */
const NONE = '';

/** Which systems the hosts have: by the options, else by asking them. */
async function systemsOf(cluster: Cluster, { options, io, signal }: Asking): Promise<HostSystem[]> {
  const named = ((options['system'] as string[] | undefined) ?? []).flatMap((text) => text.split(','));
  const archs = architectures(options['arch']);
  const wantsPackages = options['packages'] !== false && packagesFor(cluster).length > 0;
  // Before anything is fetched or anybody is asked.
  if (wantsPackages) named.forEach(codenameOf);
  if (archs && !wantsPackages) return archs.map((arch) => ({ arch, system: NONE }));
  if (archs && named.length > 0) return archs.flatMap((arch) => named.map((system) => ({ arch, system })));
  io.stderr.write(
    `Asking ${cluster.hosts.length} hosts for their systems and processors (or name them: --system debian-12 --arch amd64)\n`,
  );
  const found = await askSystems(cluster, { input: options['input'] !== false, io, signal });
  const pairs = new Map<string, HostSystem>();
  for (const { arch, system } of found) {
    if (archs && !archs.includes(arch)) continue;
    if (named.length === 0 && wantsPackages && !bundledSystems.includes(system))
      io.stderr.write(`warning: packages of ${system} cannot go into a bundle: its hosts take them from their own package sources\n`);
    for (const one of named.length > 0 ? named : [bundledSystems.includes(system) ? system : NONE])
      pairs.set(`${arch} ${one}`, { arch, system: one });
  }
  return [...pairs.values()];
}

interface Making {
  cluster: Cluster;
  clusterFile: string;
  io: Io;
  signal: AbortSignal;
  progress: FetchProgress;
}

async function artefactParts(
  archs: readonly Architecture[],
  { cluster, clusterFile, io, signal, progress }: Making,
): Promise<BundlePart[]> {
  // A cluster file that installs from a bundle says nothing about where the bundle comes from.
  const artifacts = expects(cluster) === undefined ? cluster.artifacts : { source: 'auto' as const, overrides: {} };
  const store = storeFor({ artifacts }, { clusterFile, io });
  const wanted = archs.flatMap((arch) =>
    artefactsFor({ kubernetesVersion: cluster.kubernetes.version, arch, metricsServer: cluster.addons.metricsServer }),
  );
  const locked = await store.resolve(wanted, { onProgress: progress.onProgress, signal });
  return locked.map((entry) => ({ store, locked: entry }));
}

async function packageParts(
  systems: readonly HostSystem[],
  { cluster, io, signal, progress, mirror }: Making & { mirror: string | undefined },
): Promise<BundlePart[]> {
  const tools = packagesFor(cluster);
  if (tools.length === 0) return [];
  const parts: BundlePart[] = [];
  const cacheDirectory = defaultCacheDirectory(io.env);
  for (const { system, arch } of systems) {
    if (system === NONE) continue;
    const [id = '', versionId = ''] = system.split('-');
    const names = tools.map(({ name }) => osModule({ os: { id, versionId, prettyName: system, like: [] } })?.packageNames[name] ?? name);
    progress.say(`asking the package archive for ${names.join(', ')} (${system}, ${arch})`);
    const packages = await openPackages({
      system,
      arch,
      names,
      sources: await aptSources(system, { mirror, cacheDirectory }),
      options: await aptOptions(),
      signal,
    });
    try {
      const store = createStore({ cacheDirectory, source: packages.source });
      const [locked] = await store.resolve([packages.artefact], { onProgress: progress.onProgress, signal });
      parts.push({ store, locked: locked! });
    } finally {
      await packages.close();
    }
  }
  return parts;
}
