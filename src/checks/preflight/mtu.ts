import type { Facts } from '../../facts/facts.ts';
import type { Host } from '../../config/cluster.ts';
import { finding, list, type PreflightCheck } from './preflight.ts';

/** Bytes that each backend puts around a packet (IPv4 outside). */
export const overhead = { vxlan: 50, wireguard: 60, udp: 28, 'host-gw': 0 } as const;

/** The smallest MTU that IPv6 allows, and that pods' software can count on. */
const smallest = 1280;

export const mtu: PreflightCheck = {
  id: 'mtu',
  title: 'The MTU is the same everywhere',
  run({ cluster, hosts, network }) {
    const seen = cluster.hosts.flatMap((host) => {
      const facts = hosts[host.name];
      const value = facts === undefined ? undefined : mtuOf(host, facts);
      return value === undefined ? [] : [{ name: host.name, mtu: value }];
    });
    const { backend, mtu: wanted } = cluster.network.flannel;
    const values = [...new Set(seen.map((one) => one.mtu))].sort((a, b) => a - b);
    // Where packets of full size were tried, path-mtu says what became of them.
    const tried = new Set(network?.sizes.map(({ from, to }) => `${from} ${to}`));
    const untried = seen.some((one) => seen.some((other) => one.mtu !== other.mtu && !tried.has(`${one.name} ${other.name}`)));
    const differ =
      !untried || (wanted !== undefined && wanted <= values[0]! - overhead[backend])
        ? []
        : [
            finding(
              'warning',
              seen.map(({ name }) => name),
              {
                what: `the MTU of their interfaces differs: ${list(values.map((value) => `${value} on ${list(seen.filter((one) => one.mtu === value).map(({ name }) => name))}`))}`,
                hint: `Make it the same, or set network.flannel.mtu to ${values[0]! - overhead[backend]}: large packets between those nodes are lost otherwise.`,
              },
            ),
          ];
    return [
      ...differ,
      ...seen.flatMap(({ name, mtu: value }) => {
        const left = value - overhead[backend];
        if (wanted !== undefined && wanted > left)
          return [
            finding('error', name, {
              what: `network.flannel.mtu ${wanted} does not fit: its interface carries ${value} bytes, of which ${backend} leaves ${left}`,
              hint: `Set network.flannel.mtu to ${left} or less, or leave it out.`,
            }),
          ];
        if (left < smallest)
          return [
            finding('warning', name, {
              what: `its MTU of ${value} leaves pods only ${left} bytes`,
              hint: 'Raise the MTU of the interface.',
            }),
          ];
        return [];
      }),
    ];
  },
};

/** Of the interface that flannel will use. */
export function mtuOf(host: Host, facts: Facts): number | undefined {
  const named = facts.interfaces.find(({ name }) => name === host.interface);
  return (named ?? facts.interfaces.find(({ addresses }) => addresses.some(({ address }) => address === host.privateAddress)))?.mtu;
}
