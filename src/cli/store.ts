import { dirname, join } from 'node:path';
import { readContents, requireInBundle, verifyOnce, type Contents } from '../artifacts/bundle.ts';
import type { ReadOptions } from '../artifacts/bundle-file.ts';
import { defaultCacheDirectory } from '../artifacts/directories.ts';
import { checkAgainstLock, readLock } from '../artifacts/lock-file.ts';
import { isPackages } from '../artifacts/package-names.ts';
import { sourceFor } from '../artifacts/sources.ts';
import { createStore, type Store } from '../artifacts/store.ts';
import type { Artefact, LockedArtefact } from '../artifacts/types.ts';
import { SlipwayError, isSlipwayError } from '../base/errors.ts';
import type { Cluster } from '../config/cluster.ts';
import type { Io } from './io.ts';

export interface ClusterPlace {
  /** Absolute. */
  clusterFile: string;
  io: Pick<Io, 'env'>;
}

/** `cluster.lock` beside the cluster file. */
export function lockPathOf(clusterFile: string): string {
  return join(dirname(clusterFile), 'cluster.lock');
}

/** The artefacts of a cluster file: its source, its lock, this user's cache. */
export function storeFor(cluster: Pick<Cluster, 'artifacts'>, { clusterFile, io }: ClusterPlace): Store {
  return createStore({
    cacheDirectory: defaultCacheDirectory(io.env),
    source: sourceFor(sourceConfig(cluster, io), io.env),
    lockPath: lockPathOf(clusterFile),
  });
}

/** The bundle that a cluster file takes its artefacts from. */
export interface Bundle {
  path: string;
  /** Reads every byte once, and compares with cluster.lock. Throws ARTIFACT_BUNDLE_MISSING, ARTIFACT_BUNDLE_INVALID, ARTIFACT_LOCK_MISMATCH. */
  verify(options?: ReadOptions): Promise<Contents>;
  /** Throws ARTIFACT_NOT_IN_BUNDLE (refused) for all that is missing at once. */
  require(wanted: readonly Artefact[]): Promise<void>;
  /** The distributions' packages in it; none when there is no usable bundle any more: what is installed needs it no longer. */
  packages(): Promise<LockedArtefact[]>;
}

export function bundleOf({ artifacts: { source } }: Pick<Cluster, 'artifacts'>, { clusterFile, io }: ClusterPlace): Bundle | undefined {
  if (typeof source !== 'object' || !('bundle' in source)) return undefined;
  const path = source.bundle;
  const cacheDirectory = defaultCacheDirectory(io.env);
  return {
    path,
    async verify(options = {}) {
      const contents = await verifyOnce(path, { ...options, cacheDirectory });
      const lockPath = lockPathOf(clusterFile);
      checkAgainstLock(await readLock(lockPath), contents.artifacts, lockPath);
      return contents;
    },
    require: async (wanted) => requireInBundle(await readContents(path), wanted, path),
    async packages() {
      try {
        return (await readContents(path)).artifacts.filter(isPackages);
      } catch (error) {
        if (isSlipwayError(error) && ['ARTIFACT_BUNDLE_MISSING', 'ARTIFACT_BUNDLE_INVALID'].includes(error.code)) return [];
        throw error;
      }
    },
  };
}

/** A CI job without a way to the release sites says so once, for all its cluster files. */
export function sourceConfig({ artifacts }: Pick<Cluster, 'artifacts'>, { env }: Pick<Io, 'env'>): Cluster['artifacts'] {
  const wanted = env['SLIPWAY_ARTIFACTS_SOURCE'];
  if (wanted === undefined || wanted === '' || artifacts.source !== 'auto') return artifacts;
  if (wanted === 'go' || wanted === 'release' || wanted === 'auto') return { ...artifacts, source: wanted };
  throw new SlipwayError(`SLIPWAY_ARTIFACTS_SOURCE is ${wanted}`, {
    code: 'ENVIRONMENT_INVALID',
    category: 'usage',
    hint: 'set it to go, release or auto, or to nothing',
  });
}
