import { componentVersions } from '../../artifacts/catalogue.ts';
import { loadCluster } from '../../config/load.ts';
import type { Handler } from '../command.ts';
import { exitCodes } from '../exit-code.ts';
import { globalOptions } from '../options.ts';
import { formatted } from '../output.ts';

export const validate: Handler = async ({ options: given }, io) => {
  const options = globalOptions(given);
  const { cluster, warnings } = await loadCluster(options.file);
  componentVersions(cluster.kubernetes.version);
  const roles = (role: string): number => cluster.hosts.filter((host) => host.roles.includes(role as 'worker')).length;
  io.stdout.write(
    formatted(options.output, {
      text: () =>
        [
          ...warnings.map(
            ({ message, where, hint }) =>
              `warning: ${where.file ?? options.file}${where.line ? `:${where.line}:${where.column ?? 1}` : ''}: ${message}${hint ? ` (${hint})` : ''}`,
          ),
          `${options.file} is valid: cluster ${cluster.name}, Kubernetes ${cluster.kubernetes.version}, ${cluster.hosts.length} hosts (${roles('control-plane')} control plane, ${roles('worker')} worker).`,
        ].join('\n'),
      data: { valid: true, cluster, warnings },
    }),
  );
  return exitCodes.ok;
};
