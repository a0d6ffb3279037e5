import { join as playbook } from '../../../playbooks/join.ts';
import { SlipwayError } from '../../base/errors.ts';
import { controlPlanes, isEtcdMember } from '../../components/topology.ts';
import type { Host } from '../../config/cluster.ts';
import { addHost, type HostInput } from '../../config/edit.ts';
import { readClusterFile, writeClusterFile } from '../../config/load.ts';
import { parseCluster } from '../../config/parse.ts';
import { runPipeline } from '../../engine/pipeline.ts';
import { applying } from '../apply-pipeline.ts';
import type { Handler } from '../command.ts';
import { exitCodes } from '../exit-code.ts';
import { hostsTold } from '../limit.ts';
import { globalOptions } from '../options.ts';
import { withSession } from '../session.ts';
import { seconds } from '../style.ts';
import { conclude } from '../working.ts';

/** Adds hosts to a running cluster through one control plane, whatever the state of all other hosts. */
export const join: Handler = async ({ args, options: given }, io) => {
  const options = globalOptions(given);
  const before = await readClusterFile(options.file);
  const described = newHost(args, given);
  const there = described && inFile(described, parseCluster(before, options.file).cluster.hosts);
  const added = there ? undefined : described;
  const text = added ? withHost(before, { added, file: options.file }) : before;
  const loaded = parseCluster(text, options.file);
  const { cluster } = loaded;
  const names = hostsTold(cluster, described ? [described.name ?? described.address] : args);
  if (names.length === 0)
    throw usage('which hosts?', 'slipway join w-7 w-8, or slipway join --address ADDRESS for one that is not in the cluster file');
  const serving = cluster.hosts.some((host) => names.includes(host.name) && host.roles.some((role) => role !== 'worker'));
  const start = performance.now();
  return withSession(
    'join',
    { options: { ...options, limit: names }, io, loaded, reach: { beside: serving ? 'all' : 'observer' } },
    async (session) => {
      const pipeline = applying(session, { options, io, playbook });
      const finish = await runPipeline({
        ...pipeline,
        verify: async (gathered, changed) => {
          // Whatever the verification finds, the hosts are in the cluster.
          if (added) await writeClusterFile(options.file, text);
          await pipeline.verify(gathered, changed);
        },
      });
      const ms = await conclude(session, finish, start);
      if (finish.kind === 'declined') return exitCodes.aborted;
      io.stderr.write(
        finish.kind === 'unchanged'
          ? `Nothing to change: ${names.join(', ')} is in the cluster (${seconds(ms)}).\n`
          : `Done in ${seconds(ms)}: ${names.join(', ')} joined.\n`,
      );
      return exitCodes.ok;
    },
  );
};

/** The host that the options describe; undefined: those that are named are in the file. Throws OPTION_INVALID (usage). */
function newHost(args: readonly string[], given: Readonly<Record<string, unknown>>): HostInput | undefined {
  const [address, name, roles] = [given['address'], given['name'], given['role']] as [string?, string?, string[]?];
  if (address === undefined) {
    if (name !== undefined || roles !== undefined)
      throw usage('--name and --role describe a host that --address adds', 'give --address too, or write them to the cluster file');
    return undefined;
  }
  if (args.length > 1 || (args.length === 1 && name !== undefined))
    throw usage('--address adds one host, and takes one name', 'slipway join w-9 --address 10.0.0.29');
  const named = name ?? args[0];
  return {
    ...(named === undefined ? {} : { name: named }),
    address,
    ...(roles === undefined ? {} : { roles: roles as NonNullable<HostInput['roles']> }),
  };
}

/** The host of the file that is the one described: the same command again goes on where the one before was ended. */
function inFile({ name, address, roles }: HostInput, hosts: readonly Host[]): Host | undefined {
  return hosts.find(
    (host) =>
      host.address === address &&
      (name === undefined || host.name === name) &&
      (roles ?? host.roles).every((role) => host.roles.includes(role)),
  );
}

/** The cluster file with the host. Where all control planes keep etcd, and the file says so of each, a new one does too. */
export function withHost(before: string, { added, file }: { added: HostInput; file: string }): string {
  const text = addHost(before, added);
  const { cluster } = parseCluster(text, file);
  const apart = controlPlanes(cluster).filter((host) => !isEtcdMember(host));
  const stacked = apart.length === 1 && apart[0]!.address === added.address && controlPlanes(cluster).length > 1;
  return stacked ? addHost(before, { ...added, roles: [...(added.roles ?? []), 'etcd'] }) : text;
}

function usage(message: string, hint: string): SlipwayError {
  return new SlipwayError(message, { code: 'OPTION_INVALID', category: 'usage', hint });
}
