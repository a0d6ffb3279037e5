import { describe, expect, test } from '@jest/globals';
import type { Facts } from '../../../src/facts/facts.ts';
import { change, clusterOf, findings } from './hosts.ts';

type Change = (facts: Facts) => Facts;

const address =
  (name: string, text: string, prefix: number): Change =>
  (facts) => ({
    ...facts,
    interfaces: [...facts.interfaces, { name, mac: '', mtu: 1500, up: true, addresses: [{ address: text, prefix }] }],
  });
const route =
  (destination: string, device: string, via?: string): Change =>
  (facts) => ({ ...facts, routes: [...facts.routes, { destination, via, device, source: undefined }] });
const ours: Change = (facts) => ({
  ...facts,
  cluster: { name: 'prod' },
  leftovers: [...facts.leftovers, { of: 'slipway', path: '/var/lib/slipway' }],
});
const all =
  (...changes: Change[]): Change =>
  (facts) =>
    changes.reduce((result, one) => one(result), facts);

describe('ports', () => {
  const listening = (port: number, process: string, protocol: 'tcp' | 'udp' = 'tcp', at = '*') =>
    change({ listening: [{ protocol, address: at, port, process }] });

  test('one that somebody else holds is refused, with who holds it and who needs it', () => {
    expect(findings({ facts: { 'cp-1': listening(6443, 'nginx'), 'w-1': listening(10250, 'prometheus', 'tcp', '127.0.0.1') } })).toEqual([
      "error ports [cp-1] tcp port 6443, which kube-apiserver needs, is taken by nginx -> Stop it or move it to another port; ss -lnpt 'sport = :6443' shows it.",
      "error ports [w-1] tcp port 127.0.0.1:10250, which kubelet needs, is taken by prometheus -> Stop it or move it to another port; ss -lnpt 'sport = :10250' shows it.",
    ]);
  });

  test('only what runs on a host is asked for there', () => {
    expect(findings({ facts: { 'w-1': listening(2379, 'etcd') } })).toEqual([]);
    expect(findings({ facts: { 'w-1': listening(10250, 'other', 'udp') } })).toEqual([]);
  });

  test('our own daemons may hold them on a host of ours, and only there', () => {
    expect(findings({ facts: { 'cp-1': all(listening(10257, 'kube-controller'), ours) } })).toEqual([]);
    expect(findings({ facts: { 'w-1': all(listening(6444, 'haproxy'), ours) } })).toEqual([]);
    expect(findings({ facts: { 'w-1': all(listening(6444, 'nginx'), ours) } })).toHaveLength(1);
    expect(findings({ facts: { 'cp-1': listening(2379, 'etcd') } })).toEqual([
      "error ports [cp-1] tcp port 2379, which etcd needs, is taken by etcd -> Stop it or move it to another port; ss -lnpt 'sport = :2379' shows it.",
    ]);
  });

  test('a holder without a name is said to have none; the kernel’s UDP sockets are flannel’s own', () => {
    expect(findings({ facts: { 'w-1': listening(10250, '') } })).toEqual([
      "error ports [w-1] tcp port 10250, which kubelet needs, is taken by a process that could not be named -> Stop it or move it to another port; ss -lnpt 'sport = :10250' shows it.",
    ]);
    expect(findings({ facts: { 'w-1': listening(8472, '', 'udp') } })).toEqual([]);
    expect(findings({ facts: { 'w-1': listening(8472, 'vxlan-agent', 'udp') } })).toHaveLength(1);
  });
});

describe('leftovers', () => {
  const traces = (...leftovers: [of: string, path: string][]) => change({ leftovers: leftovers.map(([of, path]) => ({ of, path })) });

  test('another installation is named with its traces and its own way out', () => {
    expect(
      findings({
        facts: {
          'cp-1': traces(
            ['kubeadm', '/etc/kubernetes/manifests/etcd.yaml'],
            ['kubernetes', '/etc/kubernetes/pki'],
            ['cni', '/etc/cni/net.d/10-calico.conflist'],
          ),
          'w-1': traces(['k3s', '/etc/rancher/k3s'], ['k3s', '/usr/local/bin/k3s']),
        },
      }),
    ).toEqual([
      'error leftovers [cp-1] traces of kubeadm are there: /etc/kubernetes/manifests/etcd.yaml -> Run kubeadm reset -f there, then remove /etc/kubernetes, /etc/cni/net.d and /var/lib/etcd.',
      'error leftovers [w-1] traces of k3s are there: /etc/rancher/k3s and /usr/local/bin/k3s -> Run k3s-uninstall.sh (a server) or k3s-agent-uninstall.sh (an agent) there.',
    ]);
  });

  test('what has no clear origin is refused where we have never been', () => {
    const unclear: Change = traces(['kubernetes', '/var/lib/etcd/member'], ['cni', '/etc/cni/net.d/10-bridge.conf']);
    expect(findings({ facts: { 'w-1': unclear } })).toEqual([
      'error leftovers [w-1] a Kubernetes of unknown origin was there: /var/lib/etcd/member -> If nothing of it is needed any more, remove these paths.',
      'error leftovers [w-1] a network configuration of somebody else is there: /etc/cni/net.d/10-bridge.conf -> Remove the file if nothing uses it: the container runtime takes the first configuration it finds.',
    ]);
    expect(findings({ facts: { 'w-1': all(unclear, ours) } })).toEqual([]);
  });

  test('every kind that the script knows has a way out of its own', () => {
    const kinds = [
      'kubeadm',
      'k3s',
      'rke2',
      'rancher',
      'kubeasz',
      'kubespray',
      'kubekey',
      'sealos',
      'k0s',
      'microk8s',
      'minikube',
      'openshift',
    ];
    for (const of of kinds)
      expect(findings({ facts: { 'w-1': traces([of, '/x']) } })).toEqual([
        expect.stringMatching(`^error leftovers \\[w-1\\] traces of ${of} are there: /x -> \\S`),
      ]);
  });

  test('units with our names are refused; a containerd, as docker brings it, is warned about', () => {
    expect(
      findings({
        facts: {
          'w-1': traces(
            ['unit', '/usr/lib/systemd/system/kubelet.service'],
            ['unit', '/usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf'],
          ),
          'w-2': all(
            change({ containerdBeside: true, leftovers: [{ of: 'containerd', path: '/usr/lib/systemd/system/containerd.service' }] }),
            change({ firewall: { firewalld: false, ufw: false, docker: true, nftablesService: false } }),
          ),
        },
      }),
    ).toEqual([
      'error leftovers [w-1] units or drop-ins with names of ours are there: /usr/lib/systemd/system/kubelet.service and /usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf -> Stop them and remove them, with the package that brought them (dpkg -S or rpm -qf tells which).',
      "warning leftovers [w-2] a containerd of somebody else (docker's) is there: /usr/lib/systemd/system/containerd.service -> It is left alone: ours runs beside it, as slipway-containerd.service, with a socket and directories of its own.",
    ]);
  });
});

describe('pod and Service networks', () => {
  const hint = (field: string) => `Choose another ${field} in the cluster file; it cannot be changed later.`;

  test('an address of the host, or its name server, may not lie in them', () => {
    expect(
      findings({
        facts: {
          'w-1': address('docker0', '10.244.7.1', 24),
          'w-2': change({ resolvConf: { path: '/etc/resolv.conf', nameservers: ['10.96.0.10'] } }),
        },
      }),
    ).toEqual([
      `error networks [w-1] its own address 10.244.7.1 (docker0) lies in network.podCidr 10.244.0.0/16 -> ${hint('network.podCidr')}`,
      `error networks [w-2] its name server 10.96.0.10 lies in network.serviceCidr 10.96.0.0/16 -> ${hint('network.serviceCidr')}`,
    ]);
  });

  test('a route into them is refused; one that covers them costs what lives behind it', () => {
    expect(findings({ facts: { 'w-1': route('10.244.9.0/24', 'tun0'), 'w-2': route('10.0.0.0/8', 'wg0') } })).toEqual([
      `error networks [w-1] its route to 10.244.9.0/24 (tun0) lies in network.podCidr 10.244.0.0/16 -> ${hint('network.podCidr')}`,
      `warning networks [w-2] its route to 10.0.0.0/8 (wg0) covers network.podCidr 10.244.0.0/16: hosts that live there cannot be reached from this cluster -> If there are such hosts, choose another network.podCidr in the cluster file; it cannot be changed later.`,
      `warning networks [w-2] its route to 10.0.0.0/8 (wg0) covers network.serviceCidr 10.96.0.0/16: hosts that live there cannot be reached from this cluster -> If there are such hosts, choose another network.serviceCidr in the cluster file; it cannot be changed later.`,
    ]);
  });

  test('what our own cluster made there is not held against it', () => {
    const installed = all(
      ours,
      address('cni0', '10.244.1.1', 24),
      address('flannel.1', '10.244.1.0', 32),
      address('kube-ipvs0', '10.96.0.1', 32),
      route('10.244.2.0/24', 'flannel.1', '10.244.2.0'),
      route('10.244.3.0/24', 'eth0', '10.0.0.22'),
    );
    expect(findings({ facts: { 'w-1': installed } })).toEqual([]);
    expect(findings({ facts: { 'w-1': all(ours, route('10.244.3.0/24', 'eth0', '10.0.0.99')) } })).toHaveLength(1);
    expect(findings({ facts: { 'w-1': address('cni0', '10.244.1.1', 24) } })).toHaveLength(1);
  });
});

describe('capacity', () => {
  const network = (mask: number) => clusterOf(`  network: { podCidr: 10.244.0.0/22, nodeCidrMaskSize: ${mask} }`);

  test('is warned about when it runs out', () => {
    expect(findings({ cluster: network(24) })).toEqual([]);
    const cluster = { ...network(24), network: { ...network(24).network, podCidr: '10.244.0.0/23' } };
    expect(findings({ cluster })).toEqual([
      'error capacity [] network.podCidr 10.244.0.0/23 has room for 2 nodes of /24 each; the cluster file has 3 hosts -> Choose a wider podCidr, or a greater nodeCidrMaskSize (fewer pods on each node); neither can be changed later.',
    ]);
    const full = { ...network(24), hosts: [...network(24).hosts, { ...network(24).hosts[2]!, name: 'w-3', address: '10.0.0.23' }] };
    expect(findings({ cluster: full })).toEqual([
      'warning capacity [] network.podCidr 10.244.0.0/22 has room for 4 nodes, of which 4 are taken -> Choose a wider podCidr if the cluster may grow: it cannot be changed later.',
    ]);
  });
});

describe('node network', () => {
  const hosts = (changes: Readonly<Record<string, Partial<ReturnType<typeof clusterOf>['hosts'][number]>>>) => {
    const cluster = clusterOf();
    return { ...cluster, hosts: cluster.hosts.map((host) => ({ ...host, ...changes[host.name] })) };
  };

  test('an address that is translated on the way is refused', () => {
    const cluster = hosts({ 'w-1': { address: '203.0.113.9' } });
    const lines = findings({ cluster }).filter((line) => line.startsWith('error'));
    expect(lines).toEqual([
      'error node-network [w-1] its private address 203.0.113.9 is on none of its interfaces (it may be translated on the way) -> Set privateAddress in the cluster file to one of its own: 10.0.0.21.',
    ]);
  });

  test('IPv6 is refused with the reason', () => {
    expect(findings({ cluster: hosts({ 'w-1': { privateAddress: 'fd00::21' } }) }).filter((line) => line.includes('[w-1]'))).toEqual([
      'error node-network [w-1] its private address fd00::21 is no IPv4 address; IPv6 clusters are not supported yet -> Set privateAddress in the cluster file to one of its own: 10.0.0.21.',
    ]);
  });

  test('a host without any address is refused, and nothing else is concluded from it', () => {
    const cluster = hosts({ 'w-1': { address: 'w-1.example' } });
    const lost = change({ interfaces: [], routes: [], routesTo: {} });
    expect(findings({ cluster, facts: { 'w-1': lost } })).toEqual([
      'error node-network [w-1] it has no IPv4 address that the other nodes could use -> Give the host an IPv4 address.',
    ]);
  });

  test('an interface that was asked for must exist and be up', () => {
    const down: Change = (facts) => ({
      ...facts,
      interfaces: [...facts.interfaces, { name: 'eth1', mac: '', mtu: 1500, up: false, addresses: [] }],
    });
    expect(findings({ cluster: hosts({ 'w-1': { interface: 'ens5' }, 'w-2': { interface: 'eth1' } }), facts: { 'w-2': down } })).toEqual([
      'error node-network [w-1] it has no interface ens5 -> Set interface in the cluster file to one of: eth0; or leave it out.',
      'error node-network [w-2] its interface eth1 is down -> Run ip link set eth1 up, or set interface in the cluster file to one of: eth0.',
    ]);
  });

  test('peers without a route are refused, and ways from another address are warned about', () => {
    const routesTo = { '10.0.0.11': undefined, '10.0.0.22': { device: 'eth1', source: '192.168.7.21' } };
    expect(findings({ facts: { 'w-1': change({ routesTo }) } })).toEqual([
      'error node-network [w-1] it has no route to cp-1 (10.0.0.11) -> Add a route, or set privateAddress in the cluster file to addresses in a network that the hosts share.',
      "warning node-network [w-1] packets to w-2 leave from 192.168.7.21 (eth1), not from its private address 10.0.0.21 -> Set privateAddress to 192.168.7.21 in the cluster file, or the other hosts' private addresses to the network of 10.0.0.21.",
    ]);
  });

  test('host-gw needs one network', () => {
    const gateway = clusterOf('  network: { flannel: { backend: host-gw } }');
    expect(findings({ cluster: gateway })).toEqual([]);
    const narrow: Change = (facts) => ({
      ...facts,
      interfaces: facts.interfaces.map((i) => (i.name === 'eth0' ? { ...i, addresses: [{ address: '10.0.0.21', prefix: 30 }] } : i)),
    });
    expect(findings({ cluster: gateway, facts: { 'w-1': narrow } })).toEqual([
      'error node-network [w-1] cp-1 is not in one network with it (network.flannel.backend: host-gw) -> host-gw needs all nodes in one layer 2 network: choose backend: vxlan.',
    ]);
  });
});

describe('mtu', () => {
  const mtu =
    (value: number): Change =>
    (facts) => ({ ...facts, interfaces: facts.interfaces.map((i) => (i.name === 'eth0' ? { ...i, mtu: value } : i)) });

  test('one that differs loses large packets', () => {
    expect(findings({ facts: { 'w-1': mtu(9000) } })).toEqual([
      'warning mtu [cp-1 w-1 w-2] the MTU of their interfaces differs: 1500 on cp-1 and w-2 and 9000 on w-1 -> Make it the same, or set network.flannel.mtu to 1450: large packets between those nodes are lost otherwise.',
    ]);
  });

  test('a smallest one that was set for all is enough, and one that does not fit is refused', () => {
    expect(findings({ cluster: clusterOf('  network: { flannel: { mtu: 1450 } }'), facts: { 'w-1': mtu(9000) } })).toEqual([]);
    expect(findings({ cluster: clusterOf('  network: { flannel: { mtu: 1500 } }'), without: ['w-1', 'w-2'] })).toEqual([
      'error mtu [cp-1] network.flannel.mtu 1500 does not fit: its interface carries 1500 bytes, of which vxlan leaves 1450 -> Set network.flannel.mtu to 1450 or less, or leave it out.',
    ]);
    expect(findings({ facts: { 'cp-1': mtu(1300), 'w-1': mtu(1300), 'w-2': mtu(1300) } })).toEqual([
      'warning mtu [cp-1 w-1 w-2] its MTU of 1300 leaves pods only 1250 bytes -> Raise the MTU of the interface.',
    ]);
  });
});

describe('resolver', () => {
  const servers = (...nameservers: string[]) => change({ resolvConf: { path: '/etc/resolv.conf', nameservers } });

  test('none at all leaves the cluster’s own names', () => {
    expect(findings({ facts: { 'w-1': servers() } })).toEqual([
      'warning resolver [w-1] /etc/resolv.conf names no name server: pods will resolve names of the cluster only -> Where there is one, add a line such as nameserver 192.0.2.53.',
    ]);
  });

  test('only loopback ones would make CoreDNS ask itself', () => {
    const line =
      '[w-1] /etc/resolv.conf names only 127.0.0.1 and ::1, which inside a pod is the pod itself -> Add a name server that can be reached from elsewhere to /etc/resolv.conf: the one that the local resolver asks.';
    expect(findings({ facts: { 'w-1': servers('127.0.0.1', '::1') } })).toEqual([`error resolver ${line}`]);
    expect(findings({ cluster: clusterOf('  addons: { coredns: false }'), facts: { 'w-1': servers('127.0.0.1', '::1') } })).toEqual([
      `warning resolver ${line}`,
    ]);
    expect(findings({ facts: { 'w-1': servers('127.0.0.1', '192.0.2.1') } })).toEqual([]);
  });
});

describe('firewall', () => {
  const firewall =
    (fields: Partial<Facts['firewall']>, forwardPolicy: 'ACCEPT' | 'DROP' = 'ACCEPT'): Change =>
    (facts) => ({
      ...facts,
      firewall: { ...facts.firewall, ...fields },
      iptables: { ...facts.iptables, forwardPolicy },
    });

  test('firewalld and ufw are announced, with what happens to them', () => {
    const hint =
      'It stays on: the plan adds rules for exactly the ports and networks of the cluster, in its own language, and reset removes them.';
    expect(findings({ facts: { 'w-1': firewall({ firewalld: true }), 'w-2': firewall({ ufw: true, nftablesService: true }) } })).toEqual([
      `warning firewall [w-1] firewalld is active -> ${hint}`,
      `warning firewall [w-2] ufw is active -> ${hint}`,
    ]);
  });

  test('a FORWARD policy of DROP is announced, with what the cluster file says about it', () => {
    const docker = firewall({ docker: true, dropChains: [{ family: 'ip', table: 'filter', chain: 'FORWARD', hook: 'forward' }] }, 'DROP');
    expect(findings({ facts: { 'w-1': docker } })).toEqual([
      'warning firewall [w-1] the iptables policy of FORWARD is DROP (docker sets it), which would stop pod traffic -> It stays: the plan accepts traffic from and to the pods in a chain of its own (network.forwarding: scoped).',
    ]);
    expect(findings({ cluster: clusterOf('  network: { forwarding: accept }'), facts: { 'w-1': docker } })).toEqual([
      'warning firewall [w-1] the iptables policy of FORWARD is DROP (docker sets it), which would stop pod traffic -> The plan sets it to ACCEPT and keeps it so, because network.forwarding is accept.',
    ]);
  });

  test('chains of one’s own that drop, and a service that flushes, are pointed to', () => {
    const own = firewall({
      nftablesService: true,
      dropChains: [
        { family: 'inet', table: 'filter', chain: 'forward', hook: 'forward' },
        { family: 'inet', table: 'filter', chain: 'input', hook: 'input' },
      ],
    });
    expect(findings({ facts: { 'w-1': own } })).toEqual([
      'warning firewall [w-1] nftables drops forwarded packets by default (chain inet filter forward) -> They stay: the plan inserts rules for exactly the ports and networks of the cluster, marked "slipway", and reset removes them.',
      'warning firewall [w-1] nftables drops incoming packets by default (chain inet filter input) -> They stay: the plan inserts rules for exactly the ports and networks of the cluster, marked "slipway", and reset removes them.',
      'warning firewall [w-1] nftables.service is enabled: every reload of it flushes all rules, those of kube-proxy and flannel too -> The plan has them put back after each start and reload of it. Better still, let /etc/nftables.conf flush only tables of its own.',
    ]);
  });
});

describe('proxy', () => {
  const proxies = (no_proxy?: string): Change =>
    change({ proxies: { https_proxy: 'http://proxy.example:3128', ...(no_proxy === undefined ? {} : { no_proxy }) } });

  test('one that would take the cluster’s own traffic is warned about', () => {
    expect(findings({ facts: { 'w-1': proxies('localhost, 10.0.0.0/24') } })).toEqual([
      "warning proxy [w-1] https_proxy is set (http://proxy.example:3128), and no_proxy does not cover 10.96.0.0/16 and 10.244.0.0/16 -> Add 10.96.0.0/16,10.244.0.0/16 to no_proxy in /etc/environment and in systemd's DefaultEnvironment.",
    ]);
    expect(findings({ facts: { 'w-1': proxies() } })).toEqual([
      "warning proxy [w-1] https_proxy is set (http://proxy.example:3128), and no_proxy does not cover 10.0.0.11, 10.0.0.21, 10.0.0.22, 10.96.0.0/16 and 10.244.0.0/16 -> Add 10.0.0.11,10.0.0.21,10.0.0.22,10.96.0.0/16,10.244.0.0/16 to no_proxy in /etc/environment and in systemd's DefaultEnvironment.",
    ]);
  });

  test('exceptions may be networks, single addresses or everything', () => {
    expect(
      findings({
        facts: {
          'w-1': proxies('10.0.0.0/8'),
          'w-2': proxies('*'),
          'cp-1': proxies('10.0.0.11,10.0.0.21,10.0.0.22,10.96.0.0/12,10.244.0.0/16'),
        },
      }),
    ).toEqual([]);
  });
});
