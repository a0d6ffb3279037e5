import { quote, sh } from '../../base/quote.ts';
import { isNode, leasesInEtcd, nodeAddress } from '../../components/topology.ts';
import { asked } from './health.ts';
import { count, failing, list, verdict, type CheckContext, type Finding, type VerifyCheck } from './verify.ts';

/** The device that carries pod traffic to other nodes, by backend; host-gw uses the host's own. */
const devices = { vxlan: 'flannel.1', wireguard: 'flannel-wg', udp: 'flannel0', 'host-gw': undefined } as const;

export const flannel: VerifyCheck = {
  id: 'flannel',
  title: 'Every node has a pod subnet and the way to all others',
  covers: isNode,
  probe(host, { cluster, patience }) {
    if (!isNode(host)) return undefined;
    const { backend } = cluster.network.flannel;
    const routes = `ip -4 route show root ${quote(cluster.network.podCidr)}`;
    const peers = cluster.hosts.filter((other) => isNode(other) && other.name !== host.name).map(nodeAddress);
    // Routes to nodes that are not looked at count as well; a tunnel's table says whose they are.
    const known =
      backend === 'vxlan' && peers.length > 0
        ? `[ "$(bridge fdb show dev ${devices.vxlan} 2>/dev/null | sed -n 's/.* dst \\([0-9.]*\\).*/\\1/p' | sort -u | grep -cxF ${sh`${peers.flatMap((peer) => ['-e', peer])}`})" -ge ${peers.length} ] && `
        : '';
    const others = backend === 'udp' ? 1 : peers.length;
    return `s_end=$(($(date +%s) + ${patience}))
until [ -s /run/flannel/subnet.env ] && ${known}[ "$(${routes} | grep -vc 'dev cni0')" -ge ${others} ] || [ "$(date +%s)" -ge "$s_end" ]; do sleep 0.3; done
cat /run/flannel/subnet.env
echo '@routes'; ${routes}
echo '@device'; ${devices[backend] ? `ip -d -o link show dev ${devices[backend]}` : ':'}
echo '@fdb'; ${backend === 'vxlan' ? `bridge fdb show dev ${devices.vxlan}` : ':'}`;
  },
  run(context) {
    const nodes = asked(context).map((host) => ({ host, ...parseFlannel(context.seen(host)!) }));
    const findings = nodes.flatMap((node) => judge(node, nodes, context));
    return verdict(findings, {
      message: `${context.cluster.network.flannel.backend}, ${count(nodes.length, 'subnet')} of ${context.cluster.network.podCidr}`,
      data: { subnets: Object.fromEntries(nodes.map(({ host, subnet }) => [host.name, subnet])) },
    });
  },
};

export interface FlannelView {
  /** `10.244.1.0/24`; undefined: flanneld has none. */
  subnet: string | undefined;
  routes: readonly { to: string; via: string | undefined; device: string }[];
  device: string;
  /** Addresses of hosts that the vxlan device sends to. */
  peers: readonly string[];
}

export function parseFlannel(output: string): FlannelView {
  const [env = '', routes = '', device = '', fdb = ''] = output.split(/^@(?:routes|device|fdb)$/m);
  const gateway = /^FLANNEL_SUBNET=([\d.]+)\.\d+\/(\d+)$/m.exec(env);
  return {
    subnet: gateway ? `${gateway[1]}.0/${gateway[2]}` : undefined,
    routes: routes
      .trim()
      .split('\n')
      .flatMap((line) => {
        const [, to, via, dev] = /^(\S+)(?: via (\S+))? dev (\S+)/.exec(line) ?? [];
        return to === undefined ? [] : [{ to, via, device: dev! }];
      }),
    device: device.trim(),
    peers: [...fdb.matchAll(/ dst ([\d.]+)/g)].map(([, address]) => address!),
  };
}

type View = FlannelView & { host: { name: string } };

function judge(view: View, all: readonly View[], context: CheckContext): Finding[] {
  const { name } = view.host;
  const { backend } = context.cluster.network.flannel;
  const device = devices[backend];
  if (view.subnet === undefined)
    return [
      failing(name, 'flanneld has no pod subnet (/run/flannel/subnet.env)', {
        hint: leasesInEtcd(context.cluster)
          ? 'flanneld takes its subnet from etcd: journalctl -u flanneld'
          : 'flanneld waits for the node’s pod CIDR, which the controller manager gives: journalctl -u flanneld',
      }),
    ];
  const hint = 'flanneld puts it back when it is restarted: systemctl restart flanneld';
  if (device !== undefined && !/[<,]UP[,>]/.test(view.device))
    return [
      failing(
        name,
        view.device.startsWith('Device') || view.device === '' ? `the device ${device} is missing` : `the device ${device} is down`,
        { hint },
      ),
    ];
  if (backend === 'udp') return [];
  const others = all.filter((other) => other !== view && other.subnet !== undefined);
  const address = (other: View): string => nodeAddress(context.cluster.hosts.find((host) => host.name === other.host.name)!);
  const withoutRoute = others.filter(
    (other) =>
      !view.routes.some(
        ({ to, via, device: dev }) => to === other.subnet && (device === undefined ? via === address(other) : dev === device),
      ),
  );
  const withoutPeer =
    backend !== 'vxlan' ? [] : others.filter((other) => !withoutRoute.includes(other) && !view.peers.includes(address(other)));
  const names = (views: readonly View[]): string => list(views.map(({ host, subnet }) => `${host.name} (${subnet})`));
  return [
    ...(withoutRoute.length > 0 ? [failing(name, `no route to the pods of ${names(withoutRoute)}`, { hint })] : []),
    ...(withoutPeer.length > 0
      ? [failing(name, `${device} does not know the address of ${list(withoutPeer.map(({ host }) => host.name))}`, { hint })]
      : []),
  ];
}
