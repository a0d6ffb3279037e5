import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import ts from 'typescript';
import { packageRoot } from '../../../src/base/package-root.ts';
import { preflightChecks } from '../../../src/checks/preflight/index.ts';
import type { Measured, Passage } from '../../../src/checks/network/needs.ts';
import type { Cluster, Host } from '../../../src/config/cluster.ts';
import type { Facts } from '../../../src/facts/facts.ts';
import { change, clusterOf, findings, kernelFeatures, withoutCommands, type Name, type Situation } from './hosts.ts';

type Change = (facts: Facts) => Facts;

const GiB = 2 ** 30;
const both =
  (...changes: Change[]): Change =>
  (facts) =>
    changes.reduce((result, one) => one(result), facts);
const system = (id: string, versionId: string, prettyName: string, like: string[] = []): Change =>
  change({ os: { id, versionId, prettyName, like } });
const disk =
  (path: string, fields: Partial<Facts['disks'][number]>): Change =>
  (facts) => ({ ...facts, disks: facts.disks.map((one) => (one.path === path ? { ...one, ...fields } : one)) });
const eth0 =
  (fields: Partial<Facts['interfaces'][number]>): Change =>
  (facts) => ({ ...facts, interfaces: facts.interfaces.map((one) => (one.name === 'eth0' ? { ...one, ...fields } : one)) });
const wide = (address: string): Change => eth0({ addresses: [{ address, prefix: 15 }] });
const more =
  (...interfaces: Partial<Facts['interfaces'][number]>[]): Change =>
  (facts) => ({
    ...facts,
    interfaces: [...facts.interfaces, ...interfaces.map((one) => ({ name: 'eth1', mac: '', mtu: 1500, up: true, addresses: [], ...one }))],
  });
const route =
  (destination: string, device: string): Change =>
  (facts) => ({ ...facts, routes: [...facts.routes, { destination, via: undefined, device, source: undefined }] });
const firewall =
  (fields: Partial<Facts['firewall']>, forwardPolicy: 'ACCEPT' | 'DROP' = 'ACCEPT'): Change =>
  (facts) => ({ ...facts, firewall: { ...facts.firewall, ...fields }, iptables: { ...facts.iptables, forwardPolicy } });
const clock = (ms: number): Change => change({ clock: { host: 1_795_000_000_000 + ms, operator: 1_795_000_000_000 } });
const traces = (...leftovers: [of: string, path: string][]): Change => change({ leftovers: leftovers.map(([of, path]) => ({ of, path })) });
const otherContainerd = change({
  containerdBeside: true,
  leftovers: [{ of: 'containerd', path: '/usr/lib/systemd/system/containerd.service' }],
});
const installed: Change = (facts) => ({ ...traces(['slipway', '/var/lib/slipway'])(facts), cluster: { name: 'prod' } });
const dropChain = (hook: 'forward' | 'input') => ({ family: 'inet', table: 'filter', chain: hook, hook });

/** The cluster file with some fields of some hosts changed. */
function hosts(changes: Partial<Record<Name, Partial<Host>>>, cluster: Cluster = clusterOf()): Cluster {
  return { ...cluster, hosts: cluster.hosts.map((host) => ({ ...host, ...changes[host.name as Name] })) };
}

const unnamed = (name: Name): Cluster => hosts({ [name]: { named: false } });
const network = (fields: Partial<Cluster['network']>): Cluster => ({ ...clusterOf(), network: { ...clusterOf().network, ...fields } });

const flannel: Pick<Passage, 'protocol' | 'port' | 'by'> = { protocol: 'udp', port: 8472, by: 'flanneld' };
const api: typeof flannel = { protocol: 'tcp', port: 6443, by: 'kube-apiserver' };
const kubeletPort: typeof flannel = { protocol: 'tcp', port: 10250, by: 'kubelet' };

/** Ways (`from to`) that are blocked, for a reason. */
function blocked(why: string, ...ways: [string, ...(typeof flannel)[]][]): Measured {
  const passages = ways.flatMap(([way, ...ports]) => {
    const [from, to] = way.split(' ') as [string, string];
    return ports.map((port): Passage => ({ from, to, ...port, state: 'blocked', why }));
  });
  return { passages, sizes: [], silent: {} };
}

/** Ways on which packets of 1500 bytes were tried, with the size that passed. */
function passed(...ways: [string, number][]): Measured {
  const sizes = ways.map(([way, size]) => {
    const [from, to] = way.split(' ') as [string, string];
    return { from, to, needed: 1500, passed: size };
  });
  return { passages: [], sizes, silent: {} };
}

const all = (['cp-1', 'w-1', 'w-2'] as const).flatMap((from, _, names) => names.filter((to) => to !== from).map((to) => `${from} ${to}`));

/** What goes wrong, in one line each; the text that a person then sees is in findings.txt. */
const situations: Readonly<Record<string, Situation>> = {
  'a system that nobody knows': { facts: { 'w-1': system('alpine', '3.22.1', 'Alpine Linux v3.22') } },
  'a release that is too old': { facts: { 'w-1': system('debian', '10', 'Debian GNU/Linux 10 (buster)') } },
  'an immutable edition': { facts: { 'w-1': system('fedora', '43', 'Fedora CoreOS 43') } },
  'a system that is not proven': { facts: { 'w-1': system('ubuntu', '24.04', 'Ubuntu 24.04.3 LTS', ['debian']) } },
  'another processor': { facts: { 'w-1': change({ arch: 'riscv64' }) } },
  'another init': { facts: { 'w-1': change({ init: 'runit', systemdVersion: 0 }) } },
  'an old systemd': { facts: { 'w-1': change({ systemdVersion: 219 }) } },
  'one machine twice': {
    cluster: hosts({ 'w-1': { named: false }, 'w-2': { named: false } }),
    facts: {
      'w-1': change({ hostname: 'x', machineId: 'm', bootId: 'b' }),
      'w-2': change({ hostname: 'x', machineId: 'm', bootId: 'b' }),
    },
  },
  'a hostname twice': {
    cluster: hosts({ 'w-1': { named: false }, 'w-2': { named: false } }),
    facts: { 'w-1': change({ hostname: 'debian' }), 'w-2': change({ hostname: 'debian' }) },
  },
  'a cloned machine-id': { facts: { 'w-1': change({ machineId: 'm' }), 'w-2': change({ machineId: 'm' }) } },
  'a cloned product UUID': { facts: { 'w-1': change({ productUuid: '4c4c-1' }), 'w-2': change({ productUuid: '4c4c-1' }) } },
  'a cloned MAC address': { facts: { 'w-1': eth0({ mac: '52:54:00:aa:bb:cc' }), 'w-2': eth0({ mac: '52:54:00:aa:bb:cc' }) } },
  'an address twice': { facts: { 'w-2': more({ mac: '52:54:00:00:00:99', addresses: [{ address: '10.0.0.21', prefix: 24 }] }) } },
  'a hostname that is not the name': { facts: { 'w-1': change({ hostname: 'debian' }) } },
  'another hostname than the host was installed with': { facts: { 'w-1': change({ hostname: 'debian', cluster: { host: 'w-1' } }) } },
  'no hostname where a name is given': { facts: { 'w-1': change({ hostname: '' }) } },
  localhost: { cluster: unnamed('w-1'), facts: { 'w-1': change({ hostname: 'localhost' }) } },
  'a hostname that cannot be a node name': { cluster: unnamed('w-1'), facts: { 'w-1': change({ hostname: 'web_1' }) } },
  'no hostname': { cluster: unnamed('w-1'), facts: { 'w-1': change({ hostname: '' }) } },
  'a clock that is a little off': { facts: { 'w-1': clock(-2500) } },
  'a clock that is far off': { facts: { 'w-1': clock(600_000) } },
  'the clock of this machine is behind': { facts: { 'cp-1': clock(90_000), 'w-1': clock(90_000), 'w-2': clock(90_500) } },
  'the clock of this machine is ahead': { facts: { 'cp-1': clock(-9e6), 'w-1': clock(-9e6), 'w-2': clock(-9e6) } },
  'little memory': {
    facts: {
      'cp-1': change({ memory: { total: GiB, available: GiB } }),
      'w-1': change({ memory: { total: GiB / 2, available: GiB / 2 } }),
    },
  },
  'a full disk': {
    facts: { 'w-1': (facts) => ({ ...facts, disks: facts.disks.map((one) => ({ ...one, free: 3 * GiB, total: 10 * GiB })) }) },
  },
  'a disk that will be full': {
    facts: { 'w-1': (facts) => ({ ...facts, disks: facts.disks.map((one) => ({ ...one, free: 5 * GiB, total: 10 * GiB })) }) },
  },
  'a disk at which the kubelet evicts': { facts: { 'w-1': disk('/var/lib/containerd', { free: 70 * GiB, total: 500 * GiB }) } },
  'a read-only file system': { facts: { 'w-1': disk('/var/lib/kubelet', { readOnly: true }) } },
  '/opt without programs': { facts: { 'w-1': disk('/opt', { noexec: true }) } },
  'containers on an overlay': { facts: { 'w-1': disk('/var/lib/containerd', { type: 'overlay' }) } },
  swap: { facts: { 'w-1': change({ swap: [{ device: '/dev/sda2', size: 2 * GiB }] }) } },
  'swap in memory': { facts: { 'w-1': change({ swap: [{ device: '/dev/zram0', size: GiB / 2 }] }) } },
  'missing commands': { facts: { 'w-1': withoutCommands('flock', 'tar', 'mount', 'useradd') } },
  'one missing command': { facts: { 'w-1': withoutCommands('gzip') } },
  'missing commands on a system of the Red Hat family': {
    facts: {
      'w-1': both(system('rocky', '9.6', 'Rocky Linux 9.6', ['rhel']), withoutCommands('ip', 'mount', 'useradd'), (facts) => ({
        ...facts,
        commands: ['dnf', ...facts.commands],
      })),
    },
  },
  'missing commands on a system of the SUSE family': {
    facts: {
      'w-1': both(system('opensuse-leap', '15.6', 'openSUSE Leap 15.6', ['suse']), withoutCommands('useradd', 'ip'), (facts) => ({
        ...facts,
        commands: ['zypper', ...facts.commands],
      })),
    },
  },
  'missing commands on a system that nobody knows': {
    facts: { 'w-1': both(system('alpine', '3.22.1', 'Alpine Linux v3.22'), withoutCommands('flock', 'ip')) },
  },
  'no overlay and no bridge netfilter': { facts: { 'w-1': kernelFeatures({ overlay: false, bridgeNetfilter: false }) } },
  'no VXLAN': { facts: { 'w-1': kernelFeatures({ vxlan: false }) } },
  'no WireGuard': {
    cluster: clusterOf('  network: { flannel: { backend: wireguard } }'),
    facts: { 'w-1': kernelFeatures({ wireguard: false }) },
  },
  'no tun device': { cluster: clusterOf('  network: { flannel: { backend: udp } }'), facts: { 'w-1': kernelFeatures({ tun: false }) } },
  'no IPVS': { cluster: clusterOf('  network: { proxy: { mode: ipvs } }'), facts: { 'w-1': kernelFeatures({ ipvs: false }) } },
  'a kernel that is too old for nftables': {
    cluster: clusterOf('  network: { proxy: { mode: nftables } }'),
    facts: { 'w-1': change({ kernel: '5.10.0-36-amd64' }) },
  },
  'the memory controller is off': { facts: { 'w-1': kernelFeatures({ cgroupControllers: ['cpuset', 'cpu', 'pids'] }) } },
  'other controllers are off': { facts: { 'w-1': kernelFeatures({ cgroupControllers: ['memory', 'cpu'] }) } },
  'cgroup v1': { facts: { 'w-1': kernelFeatures({ cgroup: 1 }) } },
  'an old kernel': { facts: { 'w-1': change({ kernel: '4.15.0-213-generic' }) } },
  'few inotify instances': { facts: { 'w-1': kernelFeatures({ inotifyInstances: 64 }) } },
  'few inotify instances in a container': { facts: { 'w-1': change({ container: 'lxc' }) } },
  ...Object.fromEntries(
    ['kubeadm', 'k3s', 'rke2', 'rancher', 'kubeasz', 'kubespray', 'kubekey', 'sealos', 'k0s', 'microk8s', 'minikube', 'openshift'].map(
      (of) => [`traces of ${of}`, { facts: { 'w-1': traces([of, `/path/of/${of}`]) } }],
    ),
  ),
  'a Kubernetes of unknown origin': {
    facts: { 'w-1': traces(['kubernetes', '/etc/kubernetes/pki'], ['kubernetes', '/var/lib/etcd/member']) },
  },
  'a network configuration of somebody else': { facts: { 'w-1': traces(['cni', '/etc/cni/net.d/10-calico.conflist']) } },
  'units with our names': { facts: { 'w-1': traces(['unit', '/usr/lib/systemd/system/kubelet.service']) } },
  'a containerd of somebody else': { facts: { 'w-1': otherContainerd } },
  'a containerd of docker': {
    facts: { 'w-1': both(otherContainerd, firewall({ docker: true })) },
  },
  'a port that is taken': { facts: { 'cp-1': change({ listening: [{ protocol: 'tcp', address: '*', port: 6443, process: 'nginx' }] }) } },
  'a port on one address that nobody admits to': {
    facts: { 'w-1': change({ listening: [{ protocol: 'tcp', address: '127.0.0.1', port: 10250, process: '' }] }) },
  },
  'a UDP port that is taken': {
    facts: { 'w-1': change({ listening: [{ protocol: 'udp', address: '*', port: 8472, process: 'vxlan-agent' }] }) },
  },
  'no address at all': {
    cluster: hosts({ 'w-1': { address: 'w-1.example' } }),
    facts: { 'w-1': change({ interfaces: [], routes: [], routesTo: {} }) },
  },
  'an IPv6 address': { cluster: hosts({ 'w-1': { privateAddress: 'fd00::21' } }) },
  'an address that is translated on the way': { cluster: hosts({ 'w-1': { address: '203.0.113.9' } }) },
  'an interface that does not exist': { cluster: hosts({ 'w-1': { interface: 'ens5' } }) },
  'an interface that is down': { cluster: hosts({ 'w-1': { interface: 'eth1' } }), facts: { 'w-1': more({ up: false }) } },
  'no route to another host': {
    facts: { 'w-1': change({ routesTo: { '10.0.0.11': undefined, '10.0.0.22': { device: 'eth0', source: '10.0.0.21' } } }) },
  },
  'a way from another address': {
    facts: {
      'w-1': change({
        routesTo: { '10.0.0.11': { device: 'eth0', source: '10.0.0.21' }, '10.0.0.22': { device: 'eth1', source: '192.168.7.21' } },
      }),
    },
  },
  'host-gw across networks': {
    cluster: clusterOf('  network: { flannel: { backend: host-gw } }'),
    facts: { 'w-1': eth0({ addresses: [{ address: '10.0.0.21', prefix: 32 }] }) },
  },
  'host-gw with one host in another network': {
    cluster: clusterOf('  network: { flannel: { backend: host-gw } }'),
    facts: { 'w-1': eth0({ addresses: [{ address: '10.0.0.21', prefix: 30 }] }) },
  },
  'an own address in the pod network': { facts: { 'w-1': more({ name: 'docker0', addresses: [{ address: '10.244.7.1', prefix: 24 }] }) } },
  'a name server in the Service network': {
    facts: { 'w-1': change({ resolvConf: { path: '/etc/resolv.conf', nameservers: ['10.96.0.10'] } }) },
  },
  'a route into the pod network': { facts: { 'w-1': route('10.244.9.0/24', 'tun0') } },
  'a route that covers the pod network': { facts: { 'w-1': route('10.240.0.0/12', 'wg0') } },
  'a pod network without room': { cluster: network({ podCidr: '10.244.0.0/23' }) },
  'a pod network that is nearly full': {
    cluster: {
      ...network({ podCidr: '10.244.0.0/22' }),
      hosts: [...clusterOf().hosts, { ...clusterOf().hosts[2]!, name: 'w-3', address: '10.0.0.23' }],
    },
  },
  'MTUs that differ': { facts: { 'w-1': eth0({ mtu: 9000 }) } },
  'an MTU that does not fit': { cluster: clusterOf('  network: { flannel: { mtu: 1500 } }'), without: ['w-1', 'w-2'] },
  'a small MTU': { facts: { 'cp-1': eth0({ mtu: 1300 }), 'w-1': eth0({ mtu: 1300 }), 'w-2': eth0({ mtu: 1300 }) } },
  'a blocked port': { network: blocked('nothing arrives', ['cp-1 w-1', flannel], ['w-2 w-1', flannel]) },
  'two blocked ports of a host with firewalld': {
    network: blocked('No route to host', ['cp-1 w-1', kubeletPort, flannel], ['w-2 w-1', flannel]),
    facts: { 'w-1': both(installed, firewall({ firewalld: true })) },
  },
  'a blocked port of a host with ufw': {
    network: blocked('Connection timed out', ['w-1 cp-1', api]),
    facts: { 'cp-1': both(installed, firewall({ ufw: true })) },
  },
  'a host that may not send': {
    network: blocked('Operation not permitted', ['w-1 cp-1', flannel], ['w-1 w-2', flannel]),
  },
  'two hosts between which a port is blocked': { network: blocked('nothing arrives', ['w-1 w-2', flannel], ['w-2 w-1', flannel]) },
  'a host with a port that is blocked both ways': {
    network: blocked('nothing arrives', ...all.filter((way) => way.includes('w-1')).map((way): [string, typeof flannel] => [way, flannel])),
  },
  'a port that is blocked everywhere': {
    network: blocked('nothing arrives', ...all.map((way): [string, typeof flannel] => [way, flannel])),
  },
  'a host where nothing can listen': {
    network: { passages: [], sizes: [], silent: { 'w-1': 'it has neither perl nor python3, with which one could listen there' } },
  },
  'a line that carries less than the interfaces say': {
    network: passed(...all.map((way): [string, number] => [way, way.includes('w-2') ? 1420 : 1500])),
  },
  'lines that carry less between all': { network: passed(...all.map((way): [string, number] => [way, 1420])) },
  'MTUs that differ, of which packets were tried': {
    network: passed(...all.map((way): [string, number] => [way, way.endsWith('w-2') ? 1400 : 1500])),
    facts: { 'w-2': eth0({ mtu: 1400 }) },
  },
  'no name server': { facts: { 'w-1': change({ resolvConf: { path: '/etc/resolv.conf', nameservers: [] } }) } },
  'a name server on the loopback': { facts: { 'w-1': change({ resolvConf: { path: '/etc/resolv.conf', nameservers: ['127.0.0.53'] } }) } },
  'a name server on the loopback, and no CoreDNS': {
    cluster: clusterOf('  addons: { coredns: false }'),
    facts: { 'w-1': change({ resolvConf: { path: '/etc/resolv.conf', nameservers: ['127.0.0.53'] } }) },
  },
  firewalld: { facts: { 'w-1': firewall({ firewalld: true }) } },
  'firewalld and ufw': { facts: { 'w-1': firewall({ firewalld: true, ufw: true }) } },
  'FORWARD DROP': { facts: { 'w-1': firewall({}, 'DROP') } },
  'FORWARD DROP by docker, to be accepted': {
    cluster: clusterOf('  network: { forwarding: accept }'),
    facts: { 'w-1': firewall({ docker: true }, 'DROP') },
  },
  'chains of one’s own that drop': { facts: { 'w-1': firewall({ dropChains: [dropChain('forward'), dropChain('input')] }) } },
  'a network that is wider than firewalls admit': {
    facts: { 'cp-1': wide('10.0.0.11'), 'w-1': wide('10.0.0.21'), 'w-2': wide('10.0.0.22') },
  },
  'nftables.service': { facts: { 'w-1': firewall({ nftablesService: true }) } },
  'a proxy': { facts: { 'w-1': change({ proxies: { https_proxy: 'http://proxy.example:3128', no_proxy: '10.0.0.0/24' } }) } },
  'two proxies and no exceptions': {
    facts: { 'w-1': change({ proxies: { http_proxy: 'http://proxy.example:3128', https_proxy: 'http://proxy.example:3128' } }) },
  },
  SELinux: { facts: { 'w-1': change({ selinux: 'enforcing' }) } },
};

const seen = Object.entries(situations).map(([title, situation]) => ({ title, lines: findings(situation) }));
const text = seen
  .map(({ title, lines }) => [`# ${title}`, ...lines.map((line) => line.replace(' -> ', '\n    -> ')), ''].join('\n'))
  .join('\n');

describe('preflight', () => {
  // UPDATE_FIXTURES=1 writes the file anew; what changed in it is then for a person to read.
  test('says exactly this of everything that it can find', () => {
    const file = join(packageRoot(), 'test/fixtures/preflight/findings.txt');
    if (process.env['UPDATE_FIXTURES'] === '1') writeFileSync(file, text);
    expect(text).toBe(readFileSync(file, 'utf8'));
  });

  test('finds something in every situation', () => {
    expect(seen.filter(({ lines }) => lines.length === 0).map(({ title }) => title)).toEqual([]);
  });

  test.each(preflightChecks.map(({ id }) => id))('%s: every sentence of its source is among them', (id) => {
    const own = seen.flatMap(({ lines }) => lines).filter((line) => line.split(' ')[1] === id);
    expect(own).not.toEqual([]);
    const unsaid = sentencesOf(id).filter((sentence) => !own.some((line) => sentence.test(line)));
    expect(unsaid).toEqual([]);
  });
});

/** What the source of a check can say as `what` and `hint`: each text, with anything in the place of what is filled in. */
function sentencesOf(id: string): RegExp[] {
  const directory = join(packageRoot(), 'src/checks/preflight');
  expect(readdirSync(directory)).toContain(`${id}.ts`);
  const source = ts.createSourceFile(id, readFileSync(join(directory, `${id}.ts`), 'utf8'), ts.ScriptTarget.Latest, true);
  const found: RegExp[] = [];
  const visit = (node: ts.Node): void => {
    const named = (ts.isPropertyAssignment(node) || ts.isVariableDeclaration(node)) && ts.isIdentifier(node.name) ? node : undefined;
    if (named?.initializer && /^(what|hint|forGood)$/.test((named.name as ts.Identifier).text)) found.push(...textsOf(named.initializer));
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

function textsOf(node: ts.Expression): RegExp[] {
  const literal = (words: string): string => words.replaceAll(/[.*+?^${}()|[\]\\/]/g, '\\$&');
  if (ts.isConditionalExpression(node)) return [...textsOf(node.whenTrue), ...textsOf(node.whenFalse)];
  if (ts.isStringLiteralLike(node)) return [new RegExp(literal(node.text))];
  if (ts.isTemplateExpression(node))
    return [new RegExp([literal(node.head.text), ...node.templateSpans.map((span) => literal(span.literal.text))].join('.*'))];
  return [];
}
