import { componentVersions } from '../../artifacts/catalogue.ts';
import { defaultCacheDirectory } from '../../artifacts/directories.ts';
import { sourceFor } from '../../artifacts/sources.ts';
import { createStore } from '../../artifacts/store.ts';
import type { Where } from '../../base/errors.ts';
import { loadCluster } from '../../config/load.ts';
import { checkFlags, uncheckedWarning } from '../check-flags.ts';
import type { Handler } from '../command.ts';
import { exitCodes } from '../exit-code.ts';
import { readManifests } from '../manifests.ts';
import { globalOptions } from '../options.ts';
import { formatted } from '../output.ts';

export const validate: Handler = async ({ options: given }, io) => {
  const options = globalOptions(given);
  const { cluster, warnings, locate } = await loadCluster(options.file);
  componentVersions(cluster.kubernetes.version);
  await readManifests({ cluster, locate });
  // Without a lock and without a question to its source: only what is in the cache can say which flags it has.
  const store = createStore({ cacheDirectory: defaultCacheDirectory(io.env), source: sourceFor(cluster.artifacts, io.env) });
  const unchecked = (await checkFlags({ cluster, locate, file: options.file, store })).map((one) => ({
    code: 'FLAGS_UNCHECKED',
    where: one.where,
    ...uncheckedWarning(one, 'slipway apply fetches it and checks them before it changes a host'),
  }));
  const all = [...warnings, ...unchecked];
  const roles = (role: string): number => cluster.hosts.filter((host) => host.roles.includes(role as 'worker')).length;
  io.stdout.write(
    formatted(options.output, {
      text: () =>
        [
          ...all.map(({ message, where, hint }) => `warning: ${position(where, options.file)}: ${message}${hint ? ` (${hint})` : ''}`),
          `${options.file} is valid: cluster ${cluster.name}, Kubernetes ${cluster.kubernetes.version}, ${cluster.hosts.length} hosts (${roles('control-plane')} control plane, ${roles('worker')} worker).`,
        ].join('\n'),
      data: { valid: true, cluster, warnings: all },
    }),
  );
  return exitCodes.ok;
};

function position({ file, line, column }: Where, clusterFile: string): string {
  return `${file ?? clusterFile}${line === undefined ? '' : `:${line}:${column ?? 1}`}`;
}
