import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { artefactsFor } from '../../artifacts/catalogue.ts';
import { contentDigest } from '../../artifacts/digest.ts';
import { defaultCacheDirectory } from '../../artifacts/directories.ts';
import { ownArchitecture } from '../../artifacts/help.ts';
import { lockedIn, readLock } from '../../artifacts/lock-file.ts';
import { inMegabytes } from '../../artifacts/progress-text.ts';
import type { ResolveOptions, Store } from '../../artifacts/store.ts';
import type { Artefact, Lock, LockedArtefact } from '../../artifacts/types.ts';
import type { Cluster } from '../../config/cluster.ts';
import { loadCluster } from '../../config/load.ts';
import type { Handler } from '../command.ts';
import { exitCodes } from '../exit-code.ts';
import { fetchProgress, interruptible } from '../fetch-progress.ts';
import type { Io } from '../io.ts';
import { architectures, globalOptions, type GlobalOptions } from '../options.ts';
import { formatted } from '../output.ts';
import { lockPathOf, storeFor } from '../store.ts';
import { table } from '../style.ts';

/** What a cluster file needs, and where it is looked for. */
interface Needed {
  cluster: Cluster;
  options: GlobalOptions;
  store: Store;
  lockPath: string;
  lock: Lock;
  artefacts: readonly Artefact[];
}

interface Row extends Omit<LockedArtefact, 'files' | 'source'> {
  /** Where the bytes come from; undefined while nothing is known of them. */
  source: string | undefined;
  /** sha256 over all files, by which a host is seen to have them. */
  digest: string | undefined;
  files: Readonly<Record<string, string>>;
  /** In bytes; undefined when it is not in the cache. */
  size: number | undefined;
  locked: boolean;
  cached: boolean;
}

export const list: Handler = async ({ options: given }, io) => {
  const needed = await neededBy(given, io);
  print(await rowsOf(needed), { needed, io });
  return exitCodes.ok;
};

export const fetch: Handler = async ({ options: given }, io) => {
  const needed = await neededBy(given, io);
  await bring(needed, { io, lock: 'extend' });
  print(await rowsOf({ ...needed, lock: await readLock(needed.lockPath) }), { needed, io });
  return exitCodes.ok;
};

export const lock: Handler = async ({ options: given }, io) => {
  const needed = await neededBy(given, io);
  const locked = await bring(needed, { io, lock: 'replace' });
  const changes = differences(needed.lock.artifacts, locked);
  const { options, lockPath } = needed;
  io.stdout.write(
    formatted(options.output, {
      data: { apiVersion: 'slipway.dev/v1', kind: 'ArtifactLock', path: lockPath, artifacts: locked, changes },
      text: () =>
        [
          ...changes.map(({ change, name, version, arch }) => `${change} ${name} ${version} ${arch}`),
          `${lockPath} has ${locked.length} artefacts${changes.length === 0 ? '; nothing changed' : ''}.`,
        ].join('\n'),
    }),
  );
  return exitCodes.ok;
};

async function neededBy(given: Readonly<Record<string, unknown>>, io: Io): Promise<Needed> {
  const options = globalOptions(given);
  const clusterFile = resolve(options.file);
  const { cluster } = await loadCluster(options.file);
  const lockPath = lockPathOf(clusterFile);
  const before = await readLock(lockPath);
  const archs = architectures(given['arch']) ?? lockedArchitectures(before) ?? [ownArchitecture() ?? 'amd64'];
  const artefacts = archs.flatMap((arch) =>
    artefactsFor({ kubernetesVersion: cluster.kubernetes.version, arch, metricsServer: cluster.addons.metricsServer }),
  );
  return { cluster, options, store: storeFor(cluster, { clusterFile, io }), lockPath, lock: before, artefacts };
}

function lockedArchitectures({ artifacts }: Lock): Artefact['arch'][] | undefined {
  return artifacts.length === 0 ? undefined : [...new Set(artifacts.map(({ arch }) => arch))].sort();
}

async function bring(
  { store, artefacts }: Needed,
  { io, lock: mode }: { io: Io } & Pick<ResolveOptions, 'lock'>,
): Promise<LockedArtefact[]> {
  const progress = fetchProgress(io);
  try {
    return await interruptible(io, (signal) => store.resolve(artefacts, { onProgress: progress.onProgress, signal, lock: mode }));
  } finally {
    progress.end();
  }
}

async function rowsOf({ store, artefacts, lock: known }: Needed): Promise<Row[]> {
  return Promise.all(
    artefacts.map(async (artefact): Promise<Row> => {
      const { name, version, arch } = artefact;
      const locked = lockedIn(known, artefact);
      const found = await store.here(artefact);
      // What another source made is no use where the lock wants other bytes.
      const here = found && (!locked || contentDigest(found.files) === contentDigest(locked.files)) ? found : undefined;
      const entry = locked ?? here;
      return {
        name,
        version,
        arch,
        source: entry?.source,
        digest: entry && contentDigest(entry.files),
        files: entry?.files ?? {},
        size: here && (await sizeOf(here, store)),
        locked: locked !== undefined,
        cached: here !== undefined,
      };
    }),
  );
}

async function sizeOf(locked: LockedArtefact, store: Store): Promise<number> {
  const sizes = await Promise.all(Object.keys(locked.files).map(async (file) => (await stat(await store.path(locked, file))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}

function print(rows: readonly Row[], { needed: { cluster, options }, io }: { needed: Needed; io: Io }): void {
  const cache = defaultCacheDirectory(io.env);
  io.stdout.write(
    formatted(options.output, {
      data: {
        apiVersion: 'slipway.dev/v1',
        kind: 'ArtifactList',
        cluster: cluster.name,
        kubernetes: cluster.kubernetes.version,
        cache,
        artifacts: rows,
      },
      text: () => {
        const cached = rows.filter((row) => row.cached);
        const bytes = cached.reduce((sum, { size = 0 }) => sum + size, 0);
        return [
          table([
            ['NAME', 'VERSION', 'ARCH', 'SIZE', 'DIGEST', 'LOCKED', 'CACHE'],
            ...rows.map((row) => [
              row.name,
              row.version,
              row.arch,
              row.size === undefined ? '-' : `${inMegabytes(row.size)} MB`,
              row.digest?.slice(0, 12) ?? '-',
              row.locked ? 'yes' : 'no',
              row.cached ? 'yes' : 'no',
            ]),
          ]),
          '',
          `${cached.length} of ${rows.length} artefacts of Kubernetes ${cluster.kubernetes.version} are in ${cache} (${inMegabytes(bytes)} MB).`,
        ].join('\n');
      },
    }),
  );
}

interface Change extends Pick<LockedArtefact, 'name' | 'version' | 'arch'> {
  change: 'added' | 'changed' | 'removed';
}

function differences(before: readonly LockedArtefact[], after: readonly LockedArtefact[]): Change[] {
  const entry = ({ name, version, arch }: LockedArtefact, change: Change['change']): Change => ({ change, name, version, arch });
  return [
    ...after.flatMap((now) => {
      const was = lockedIn({ version: 1, artifacts: before }, now);
      if (!was) return [entry(now, 'added')];
      return contentDigest(was.files) === contentDigest(now.files) ? [] : [entry(now, 'changed')];
    }),
    ...before.filter((was) => !lockedIn({ version: 1, artifacts: after }, was)).map((was) => entry(was, 'removed')),
  ];
}
