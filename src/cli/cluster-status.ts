import type { Gathered } from '../engine/pipeline.ts';
import type { Context } from '../phases/context.ts';
import { declarations } from '../components/declare.ts';
import { nodesAsTold } from '../phases/nodes.ts';

export interface ClusterStatus {
  apiVersion: 'slipway.dev/v1';
  kind: 'Status';
  cluster: string;
  kubernetes: string;
  hosts: {
    name: string;
    address: string;
    roles: readonly string[];
    /** The node's Ready condition as the API has it; `absent` when it is not registered. */
    node: 'Ready' | 'NotReady' | 'Unknown' | 'absent';
    version: string | undefined;
    units: { name: string; active: string; enabled: boolean; restarts: number }[];
    /** `9/9 active`. */
    summary: string;
    /** Days until the first certificate ends, in words. */
    certificates: string;
    firstCertificateEnds: string | undefined;
  }[];
}

/** What a gathering tells of a cluster's health, without another question to any host. */
export function everythingOf({ context }: Gathered<Context>): ClusterStatus {
  const { cluster, states, versions, inventory, now } = context;
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
    hosts: cluster.hosts.map((host) => {
      const units = declarations(context, host).flatMap(({ declaration: { unit } }) => {
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
      const ends = declarations(context, host).flatMap(({ declaration: { certificates = [] } }) =>
        certificates.flatMap(({ name }) => inventory.certificates[`${host.name}/${name}`]?.notAfter ?? []),
      );
      const first = ends.length > 0 ? Math.min(...ends) : undefined;
      const ready = fact('ready', host.name);
      return {
        name: host.name,
        address: host.address,
        roles: host.roles,
        node:
          ready === undefined
            ? ('absent' as const)
            : ready === 'True'
              ? ('Ready' as const)
              : ready === 'False'
                ? ('NotReady' as const)
                : ('Unknown' as const),
        version: fact('version', host.name),
        units,
        summary: `${units.filter(({ active }) => active === 'active').length}/${units.length} active`,
        certificates: first === undefined ? 'none issued' : `${Math.floor((first - now) / 86_400_000)} days left`,
        firstCertificateEnds: first === undefined ? undefined : new Date(first).toISOString(),
      };
    }),
  };
}
