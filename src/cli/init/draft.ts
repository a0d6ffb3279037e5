import type { LoadedCluster } from '../../config/parse.ts';
import { parseCluster } from '../../config/parse.ts';
import { type ClusterFileAnswers, renderClusterFile } from '../../config/render.ts';
import type { Role } from '../../config/cluster.ts';
import type { Facts } from '../../facts/facts.ts';
import { nodeNameComplaint } from '../../config/syntax.ts';
import type { HostEntry } from './hosts-input.ts';
import type { ClusterNetworks, Place } from './networks.ts';

/** What the wizard knows, step by step. */
export interface Draft {
  name: string;
  kubernetesVersion: string | undefined;
  ssh: NonNullable<ClusterFileAnswers['ssh']>;
  hosts: readonly HostEntry[];
  flannel: 'vxlan' | 'host-gw' | 'wireguard' | 'udp';
  metricsServer: boolean;
  /** By address, from here on when they are known. */
  facts: ReadonlyMap<string, Facts>;
  roles: ReadonlyMap<string, readonly Role[]>;
  private: ReadonlyMap<string, Place>;
  networks: ClusterNetworks | undefined;
  remarks: readonly string[];
}

type FileHost = ClusterFileAnswers['hosts'][number];

/** The name of a host in a draft: what tells it from the others before it has said its own. */
export function keyOf({ address, port }: HostEntry): string {
  return port === undefined ? address : `${address}:${port}`;
}

/** The cluster file of a draft. */
export function draftText(draft: Draft): string {
  const { networks, flannel } = draft;
  const network = {
    ...(networks !== undefined && networks.podCidr !== '10.244.0.0/16' && { podCidr: networks.podCidr }),
    ...(networks !== undefined && networks.serviceCidr !== '10.96.0.0/16' && { serviceCidr: networks.serviceCidr }),
    ...(flannel !== 'vxlan' && { flannel: { backend: flannel } }),
  };
  const names = settledNames(draft);
  return renderClusterFile({
    name: draft.name,
    ...(draft.kubernetesVersion !== undefined && { kubernetes: { version: draft.kubernetesVersion } }),
    ssh: draft.ssh,
    hosts: draft.hosts.map((host) => fileHost(host, draft, names.get(keyOf(host)))),
    ...(Object.keys(network).length > 0 && { network }),
    ...(draft.metricsServer && { addons: { metricsServer: true } }),
    remarks: draft.remarks,
  });
}

function fileHost(host: HostEntry, draft: Draft, name: string | undefined): FileHost {
  const roles = draft.roles.get(keyOf(host)) ?? ['worker'];
  const place = draft.private.get(keyOf(host));
  const ssh = { ...(host.user !== undefined && { user: host.user }), ...(host.port !== undefined && { port: host.port }) };
  return {
    ...(name !== undefined && { name }),
    address: host.address,
    ...(place !== undefined && { privateAddress: place.address, interface: place.interface }),
    ...(roles.join() !== 'worker' && { roles: [...roles] }),
    ...(Object.keys(ssh).length > 0 && { ssh }),
  };
}

/** The hosts' own names where they can be nodes' names; two hosts that report the same one stay without. */
function settledNames({ hosts, facts }: Draft): Map<string, string> {
  const reported = hosts.map((host) => ({ key: keyOf(host), name: host.name ?? facts.get(keyOf(host))?.hostname.toLowerCase() }));
  const usable = reported.filter(
    ({ name }) =>
      name !== undefined &&
      nodeNameComplaint(name) === undefined &&
      !/^localhost(\.|$)/.test(name) &&
      reported.filter((other) => other.name === name).length === 1,
  );
  return new Map(usable.map(({ key, name }) => [key, name!]));
}

/** The draft as the rest of the program will read it. Throws CLUSTER_FILE_INVALID when its parts do not fit together. */
export function draftCluster(draft: Draft, file: string): LoadedCluster {
  return parseCluster(draftText(draft), file);
}

/** A cluster that is only good for connecting: hosts carry their keys as names, and nothing is checked between them. */
export function connectable(draft: Draft, file: string): LoadedCluster['cluster'] {
  // Any address will do: the real ones are put in below, where a loopback address is fine.
  const stand = { address: '192.0.2.1' };
  const { cluster } = draftCluster({ ...draft, hosts: [stand], roles: new Map([[keyOf(stand), ['control-plane', 'worker']]]) }, file);
  const [first] = cluster.hosts;
  return {
    ...cluster,
    hosts: draft.hosts.map((host) => ({
      ...first!,
      name: keyOf(host),
      named: false,
      address: host.address,
      privateAddress: undefined,
      ssh: { ...first!.ssh, user: host.user ?? draft.ssh.user, port: host.port ?? draft.ssh.port },
    })),
  };
}
