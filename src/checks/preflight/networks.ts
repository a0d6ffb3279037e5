import { contains, overlaps, parseNetwork } from '../../config/addresses.ts';
import type { Facts } from '../../facts/facts.ts';
import { finding, isOurs, perHost, type PreflightCheck, type PreflightFinding } from './preflight.ts';

/** Interfaces that flannel, the CNI bridge and kube-proxy make. */
const made = /^(cni0|flannel[.\w-]*|kube-(ipvs0|dummy-if)|veth.*)$/;

/** Pods and Services take their networks from everything else: what has an address there is out of their reach, or takes their packets. */
export const networks: PreflightCheck = {
  id: 'networks',
  title: 'The pod and Service networks are free',
  run: (context) =>
    perHost(context, ({ name }, facts) => {
      const { podCidr, serviceCidr } = context.cluster.network;
      const nodes = context.cluster.hosts.flatMap(({ privateAddress }) => privateAddress ?? []);
      return [
        ...collisions({ field: 'network.podCidr', cidr: podCidr, host: name, facts, nodes }),
        ...collisions({ field: 'network.serviceCidr', cidr: serviceCidr, host: name, facts, nodes }),
      ];
    }),
};

interface Question {
  field: string;
  cidr: string;
  host: string;
  facts: Facts;
  /** Private addresses of all hosts. */
  nodes: readonly string[];
}

function collisions({ field, cidr, host, facts, nodes }: Question): PreflightFinding[] {
  if (parseNetwork(cidr) === undefined) return [];
  const hint = `Choose another ${field} in the cluster file; it cannot be changed later.`;
  const error = (what: string): PreflightFinding => finding('error', host, { what: `${what} lies in ${field} ${cidr}`, hint });
  const ours = isOurs(facts);

  const own = facts.interfaces.flatMap(({ name, addresses }) =>
    ours && made.test(name) ? [] : addresses.filter(({ address }) => contains(cidr, address)).map(({ address }) => ({ name, address })),
  );
  if (own.length > 0) return own.map(({ name, address }) => error(`its own address ${address} (${name})`));

  const servers = facts.resolvConf.nameservers.filter((server) => contains(cidr, server));
  if (servers.length > 0) return servers.map((server) => error(`its name server ${server}`));

  const size = parseNetwork(cidr)!.prefix;
  const routes = facts.routes.filter(({ destination, device, via }) => {
    if (destination === 'default' || parseNetwork(destination) === undefined || !overlaps(cidr, destination)) return false;
    // Of a cluster that is already there: flannel's routes lead over its interface, or (host-gw) over another node.
    return !(ours && (made.test(device) || (via !== undefined && nodes.includes(via))));
  });
  return routes.map(({ destination, device }) => {
    const where = `its route to ${destination}${device === '' ? '' : ` (${device})`}`;
    if (parseNetwork(destination)!.prefix >= size) return error(where);
    return finding('warning', host, {
      what: `${where} covers ${field} ${cidr}: hosts that live there cannot be reached from this cluster`,
      hint: `If there are such hosts, choose another ${field} in the cluster file; it cannot be changed later.`,
    });
  });
}
