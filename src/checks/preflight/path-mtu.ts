import { fold, type Bundle } from '../network/fold.ts';
import { mtuOf, overhead } from './mtu.ts';
import { finding, list, several, type PreflightCheck } from './preflight.ts';

/** What was tried with packets that must not be cut up: a smaller line between two hosts lets small packets pass, and large ones vanish. */
export const pathMtu: PreflightCheck = {
  id: 'path-mtu',
  title: 'Packets as large as pods will send them pass between the hosts',
  run({ network, cluster, hosts }) {
    if (network === undefined) return [];
    const { backend } = cluster.network.flannel;
    const short = network.sizes.filter(({ needed, passed }) => passed < needed);
    const enough = Math.min(...short.map(({ passed }) => passed)) - overhead[backend];
    const interfaces = (names: readonly string[]): string => {
      const seen = new Map<number, string[]>();
      for (const host of cluster.hosts.filter(({ name }) => names.includes(name))) {
        const mtu = hosts[host.name] === undefined ? undefined : mtuOf(host, hosts[host.name]!);
        if (mtu !== undefined) seen.set(mtu, [...(seen.get(mtu) ?? []), host.name]);
      }
      return list([...seen].map(([mtu, on]) => `${mtu} on ${several(on)}`));
    };
    return fold(short.map(({ from, to, needed, passed }) => ({ from, to, what: JSON.stringify([needed, passed]) }))).flatMap(
      ({ from, to, what, both }) =>
        what.map((one) => {
          const [needed, passed] = JSON.parse(one) as [number, number];
          return finding('warning', [], {
            what: `packets of ${needed} bytes do not pass ${way({ from, to, both })}, ${passed} do; the MTU of their interfaces is ${interfaces([...from, ...to])}`,
            hint: `Give the interfaces and the network between them the same MTU, or set network.flannel.mtu to ${enough}: large packets between pods of those nodes are lost otherwise.`,
          });
        }),
    );
  },
};

function way({ from, to, both }: Pick<Bundle, 'from' | 'to'> & { both: boolean | undefined }): string {
  if (both) return `between ${from[0]!} and ${to.length > 1 ? 'each of ' : ''}${several(to)}`;
  return from === to ? `between ${several(to)}` : `from ${several(from)} to ${several(to)}`;
}
