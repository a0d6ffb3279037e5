import type { Gathered } from '../engine/pipeline.ts';
import type { Context } from '../phases/context.ts';
import type { Host } from '../config/cluster.ts';
import { declarations } from '../components/declare.ts';
import { nodesAsTold } from '../phases/nodes.ts';
import type { Debt } from './owed.ts';

export interface ClusterStatus {
  apiVersion: 'slipway.dev/v1';
  kind: 'Status';
  cluster: string;
  kubernetes: string;
  hosts: HostStatus[];
}

export interface HostStatus {
  name: string;
  address: string;
  roles: readonly string[];
  /** The node's Ready condition as the API has it; `Unknown` also when no API server told; `absent` when it is not registered. */
  node: 'Ready' | 'NotReady' | 'Unknown' | 'absent';
  version: string | undefined;
  units: { name: string; active: string; enabled: boolean; restarts: number }[];
  /** `9/9 active`. */
  summary: string;
  /** Days until the first certificate ends, in words. */
  certificates: string;
  firstCertificateEnds: string | undefined;
  /** Why the host could not be read: of its units and certificates nothing is known then. */
  error?: { code: string; message: string; hint?: string };
  /** It did not answer to a run that went on without it: since when (ISO 8601), which verb, and why. */
  owed?: Debt;
}

/** What a gathering tells of a cluster's health, without another question to any host; beside it what the hosts are owed, in the order of the file. */
export function everythingOf({ context }: Gathered<Context>, debts: readonly (Debt | undefined)[] = []): ClusterStatus {
  const { cluster, unread = [], versions } = context;
  const nodes = nodesAsTold(context);
  const fact = (kind: string, host: string): string | undefined =>
    nodes
      .split('\n')
      .find((line) => line.startsWith(`${kind} ${host} `))
      ?.split(' ')[2];
  return {
    apiVersion: 'slipway.dev/v1',
    kind: 'Status',
    cluster: cluster.name,
    kubernetes: versions.kubernetes,
    hosts: cluster.hosts.map((host, i) => {
      const owed = debts[i];
      const error = unread.find((one) => one.host.name === host.name)?.error;
      // A node is not found under the address of a host that could not be asked for its name.
      const told = nodes !== '' && (error === undefined || host.named);
      return {
        name: host.name,
        address: host.address,
        roles: host.roles,
        node: told ? readiness(fact('ready', host.name)) : ('Unknown' as const),
        version: fact('version', host.name),
        ...(error === undefined ? ownStatus(context, host) : notRead),
        ...(owed === undefined ? {} : { owed }),
        ...(error === undefined
          ? {}
          : { error: { code: error.code, message: error.message, ...(error.hint === undefined ? {} : { hint: error.hint }) } }),
      };
    }),
  };
}

type OwnStatus = Pick<HostStatus, 'units' | 'summary' | 'certificates' | 'firstCertificateEnds'>;

const notRead: OwnStatus = { units: [], summary: 'not read', certificates: '-', firstCertificateEnds: undefined };

function ownStatus({ cluster, facts, versions, states, inventory, now }: Context, host: Host): OwnStatus {
  // What is declared for a host does not depend on hosts that could not be read, whose addresses may not be known.
  const read = { ...cluster, hosts: cluster.hosts.filter(({ name }) => facts[name] !== undefined) };
  const declared = declarations({ cluster: read, facts, versions }, host);
  const units = declared.flatMap(({ declaration: { unit } }) => {
    if (!unit) return [];
    const found = states[host.name]?.units[unit.name];
    return [
      {
        name: unit.name,
        active: found?.loaded ? found.active : 'not installed',
        enabled: found?.enabled ?? false,
        restarts: found?.restarts ?? 0,
      },
    ];
  });
  const ends = declared.flatMap(({ declaration: { certificates = [] } }) =>
    certificates.flatMap(({ name }) => inventory.certificates[`${host.name}/${name}`]?.notAfter ?? []),
  );
  const first = ends.length > 0 ? Math.min(...ends) : undefined;
  return {
    units,
    summary: `${units.filter(({ active }) => active === 'active').length}/${units.length} active`,
    certificates: first === undefined ? 'none issued' : `${Math.floor((first - now) / 86_400_000)} days left`,
    firstCertificateEnds: first === undefined ? undefined : new Date(first).toISOString(),
  };
}

function readiness(status: string | undefined): HostStatus['node'] {
  if (status === undefined) return 'absent';
  return status === 'True' ? 'Ready' : status === 'False' ? 'NotReady' : 'Unknown';
}
