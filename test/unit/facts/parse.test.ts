import { describe, expect, test } from '@jest/globals';
import { isSlipwayError } from '../../../src/base/errors.ts';
import type { Facts } from '../../../src/facts/facts.ts';
import { parseFacts } from '../../../src/facts/parse.ts';
import { factsOf, output } from './fixture.ts';

/** The least that is whole, with some sections of its own. */
function parse(sections: Readonly<Record<string, string>>): Facts {
  const body = Object.entries(sections).map(([name, text]) => `@facts ${name}\n${text}\n`);
  return parseFacts(`\n@facts begin\n@facts clock 1795000000000\n${body.join('\n')}\n@facts end\n`, 1795000000000);
}

describe('a fresh Debian 12 host of the lab', () => {
  const facts = factsOf('bookworm');

  test('is identified', () => {
    expect(facts).toMatchObject({
      hostname: 'cp-1',
      os: { id: 'debian', versionId: '12', prettyName: 'Debian GNU/Linux 12 (bookworm)', like: [] },
      arch: 'amd64',
      init: 'systemd',
      systemdVersion: 252,
      container: 'systemd-nspawn',
      productUuid: undefined,
      selinux: 'disabled',
      swap: [],
      proxies: {},
      cluster: undefined,
      leftovers: [],
    });
    expect(facts.machineId).toMatch(/^[\da-f]{32}$/);
  });

  test('completes the boot id of a container by the start of its first process', () => {
    expect(facts.bootId).toMatch(/^[\da-f-]{36}\/\d+$/);
  });

  test('has its disks with the mount that decides about each', () => {
    expect(facts.disks.find(({ path }) => path === '/opt')).toEqual({
      path: '/opt',
      free: 15814565 * 4096,
      total: 66053021 * 4096,
      type: 'overlay',
      readOnly: false,
      noexec: false,
    });
    expect(facts.disks.find(({ path }) => path === '/var/lib/etcd')?.type).toBe('ext4');
  });

  test('has its network', () => {
    expect(facts.interfaces.map(({ name, mtu, up, addresses }) => ({ name, mtu, up, addresses }))).toEqual([
      {
        name: 'lo',
        mtu: 65536,
        up: true,
        addresses: [
          { address: '127.0.0.1', prefix: 8 },
          { address: '::1', prefix: 128 },
        ],
      },
      { name: 'host0', mtu: 1500, up: true, addresses: [{ address: '10.86.2.11', prefix: 24 }] },
    ]);
    expect(facts.routes).toEqual([
      { destination: 'default', via: '10.86.2.1', device: 'host0', source: undefined },
      { destination: '10.86.2.0/24', via: undefined, device: 'host0', source: '10.86.2.11' },
    ]);
    expect(facts.routesTo).toEqual({
      '10.86.2.11': { device: 'lo', source: '10.86.2.11' },
      '10.86.2.21': { device: 'host0', source: '10.86.2.11' },
      '10.86.2.22': { device: 'host0', source: '10.86.2.11' },
    });
    expect(facts.listening).toEqual([
      { protocol: 'tcp', address: '*', port: 22, process: 'sshd' },
      { protocol: 'tcp', address: '*', port: 22, process: 'sshd' },
    ]);
    expect(facts.resolvConf).toEqual({ path: '/etc/resolv.conf', nameservers: ['10.255.255.53'] });
  });

  test('shows what its kernel can do and what not', () => {
    expect(facts.kernelFeatures).toEqual({
      cgroup: 1,
      cgroupControllers: [
        'cpuset',
        'cpu',
        'cpuacct',
        'blkio',
        'memory',
        'devices',
        'freezer',
        'net_cls',
        'perf_event',
        'net_prio',
        'hugetlb',
        'pids',
      ],
      overlay: true,
      vxlan: true,
      bridgeNetfilter: true,
      wireguard: false,
      ipvs: false,
      nftables: true,
      tun: true,
      unloaded: [],
      conntrackWritable: false,
      oomScoreAdjNegative: false,
      inotifyInstances: 8192,
    });
    expect(facts.iptables).toEqual({ present: true, mode: 'nft', version: '1.8.9', forwardPolicy: 'ACCEPT' });
    expect(facts.firewall).toEqual({ firewalld: false, ufw: false, docker: false, nftablesService: false, dropChains: [] });
  });
});

test('Debian 11 is read as well', () => {
  expect(factsOf('bullseye')).toMatchObject({ os: { versionId: '11' }, systemdVersion: 247, iptables: { mode: 'nft', version: '1.8.7' } });
});

test('a Debian 13 host with docker and ufw shows both, and the policy of FORWARD', () => {
  expect(factsOf('trixie-docker-ufw')).toMatchObject({
    os: { versionId: '13' },
    iptables: { mode: 'nft', forwardPolicy: 'DROP' },
    firewall: {
      ufw: true,
      docker: true,
      firewalld: false,
      nftablesService: true,
      dropChains: [
        { family: 'ip', table: 'filter', chain: 'FORWARD', hook: 'forward' },
        { family: 'ip', table: 'filter', chain: 'INPUT', hook: 'input' },
      ],
    },
    containerdBeside: true,
    leftovers: [{ of: 'containerd', path: '/usr/lib/systemd/system/containerd.service' }],
  });
});

describe('the place of our containerd', () => {
  const text = output('trixie-docker-ufw');
  const recorded = (lines: string): string => text.replace('@facts cluster\n', `@facts cluster\n${lines}\n`);
  test.each([
    ['stays beside another that was there first', recorded('"cluster": "prod"\n"slipway-containerd.service"'), true],
    ['stays the usual one when docker came later', recorded('"cluster": "prod"\n"containerd.service"'), false],
    ['stays beside when the other has gone', recorded('"slipway-containerd.service"').replace(/^containerd .*\n/m, ''), true],
    ['is the usual one where nobody has it', text.replace(/^containerd .*\n/m, ''), false],
  ])('%s', (_, output, beside) => {
    expect(parseFacts(output, 0).containerdBeside).toBe(beside);
  });
});

test('a host in trouble shows all of it', () => {
  const facts = factsOf('bookworm-in-trouble');
  expect(facts).toMatchObject({
    firewall: { firewalld: true },
    resolvConf: { nameservers: ['127.0.0.1'] },
    proxies: { https_proxy: 'http://***@proxy.example:3128', no_proxy: 'localhost,10.86.0.0/16' },
    leftovers: [
      { of: 'kubeadm', path: '/etc/kubernetes/manifests/kube-apiserver.yaml' },
      { of: 'kubeadm', path: '/var/lib/kubelet/kubeadm-flags.env' },
      { of: 'cni', path: '/etc/cni/net.d/10-calico.conflist' },
    ],
  });
  expect(facts.disks.find(({ path }) => path === '/opt')).toMatchObject({ type: 'tmpfs', noexec: true, total: 200 * 2 ** 20 });
  expect(facts.listening).toContainEqual({ protocol: 'tcp', address: '*', port: 10250, process: 'systemd-socket-' });
});

describe('the protocol', () => {
  test('finds its part between other output', () => {
    expect(parseFacts(`@list\nd 0755 root:root /etc\n${output('bookworm')}@list\nnoise\n@facts os\n`, 5).hostname).toBe('cp-1');
  });

  test.each([
    ['nothing', 'Last login: today\n', 'the host printed no facts'],
    ['a part', output('bookworm').slice(0, 3000), 'the host stopped in the middle of its facts'],
  ])('refuses %s', (_, stdout, message) => {
    expect.assertions(3);
    try {
      parseFacts(stdout, 0);
    } catch (error) {
      expect(isSlipwayError(error) && error.message).toBe(message);
      expect(isSlipwayError(error) && error.code).toBe('FACTS_INCOMPLETE');
      expect(isSlipwayError(error) && error.evidence).toBe(stdout.slice(-500));
    }
  });

  test('keeps the operator’s clock beside the host’s, with and without milliseconds', () => {
    expect(parseFacts('@facts begin\n@facts clock 1795000000123\n@facts end\n', 7).clock).toEqual({ host: 1795000000123, operator: 7 });
    expect(parseFacts('@facts begin\n@facts clock 1795000000%3N\n@facts end\n', 7).clock.host).toBe(1795000000000);
  });
});

describe('what other hosts print', () => {
  test('architectures have Go’s names', () => {
    expect(parse({ values: 'arch aarch64' }).arch).toBe('arm64');
    expect(parse({ values: 'arch riscv64' }).arch).toBe('riscv64');
  });

  test('os-release may quote its values in two ways', () => {
    expect(parse({ os: `ID='openEuler'\nVERSION_ID="22.03"\nPRETTY_NAME="Say \\"hi\\""\nID_LIKE="rhel centos fedora"` }).os).toEqual({
      id: 'openeuler',
      versionId: '22.03',
      prettyName: 'Say "hi"',
      like: ['rhel', 'centos', 'fedora'],
    });
  });

  test('a machine that is no container keeps the kernel’s boot id, and its product UUID in lower case', () => {
    const facts = parse({
      files: '/proc/sys/kernel/random/boot_id:abc\n/proc/1/stat:1 (systemd) S 0\n/sys/class/dmi/id/product_uuid:4C4C4544-0042',
    });
    expect([facts.bootId, facts.productUuid, facts.container]).toEqual(['abc', '4c4c4544-0042', undefined]);
  });

  test('cgroup v2 has its own list of controllers, which may be empty', () => {
    expect(
      parse({ values: 'cgroup 2', files: '/sys/fs/cgroup/cgroup.controllers:cpuset cpu io memory pids' }).kernelFeatures,
    ).toMatchObject({
      cgroup: 2,
      cgroupControllers: ['cpuset', 'cpu', 'io', 'memory', 'pids'],
    });
    expect(parse({ values: 'cgroup 2' }).kernelFeatures).toMatchObject({ cgroup: 2, cgroupControllers: [] });
    expect(
      parse({ cgroups: '#subsys_name hierarchy num_cgroups enabled\nmemory\t0\t5\t0\npids\t2\t5\t1' }).kernelFeatures.cgroupControllers,
    ).toEqual(['pids']);
  });

  test('modules that exist but are not loaded are named', () => {
    expect(parse({ features: 'unloaded vxlan\nunloaded br_netfilter\nvxlan yes\nbridge yes' }).kernelFeatures).toMatchObject({
      vxlan: true,
      bridgeNetfilter: true,
      unloaded: ['vxlan', 'br_netfilter'],
    });
  });

  test('swap areas have their size in bytes', () => {
    expect(
      parse({ swaps: 'Filename\tType\tSize\tUsed\tPriority\n/dev/sda2                               partition\t1048572\t0\t-2' }).swap,
    ).toEqual([{ device: '/dev/sda2', size: 1048572 * 1024 }]);
  });

  test('of several next hops the first counts, and unreachable networks have no device', () => {
    const route =
      'default proto static metric 100 \n\tnexthop via 10.0.0.1 dev eth0 weight 1 \n\tnexthop via 10.0.1.1 dev eth1 weight 1 \nunreachable 10.96.0.0/16 \n10.9.9.9 via 10.0.0.2 dev eth0 onlink';
    expect(parse({ route }).routes).toEqual([
      { destination: 'default', via: '10.0.0.1', device: 'eth0', source: undefined },
      { destination: '10.96.0.0/16', via: undefined, device: '', source: undefined },
      { destination: '10.9.9.9/32', via: '10.0.0.2', device: 'eth0', source: undefined },
    ]);
  });

  test('a peer without a route is known to have none', () => {
    expect(
      parse({
        ways: 'to 10.0.0.2 \nto 10.0.0.3 unreachable 10.0.0.3 dev lo table 255 src 10.0.0.1 \nto 10.0.0.4 10.0.0.4 via 10.0.0.1 dev eth0 src 10.0.0.9 uid 0 \n    cache ',
      }).routesTo,
    ).toEqual({
      '10.0.0.2': undefined,
      '10.0.0.3': undefined,
      '10.0.0.4': { device: 'eth0', source: '10.0.0.9' },
    });
  });

  test('interface names lose the peer that ip shows behind them', () => {
    const link =
      '7: vethab12@if2: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1450 qdisc noqueue master cni0 state UP mode DEFAULT group default \\    link/ether fe:01:02:03:04:05 brd ff:ff:ff:ff:ff:ff link-netnsid 1\n8: tun0: <POINTOPOINT,NOARP> mtu 1420 qdisc noop state DOWN \\    link/none ';
    expect(parse({ link, address: '8: tun0    inet 10.8.0.2 peer 10.8.0.1/32 scope global tun0' }).interfaces).toEqual([
      { name: 'vethab12', mac: 'fe:01:02:03:04:05', mtu: 1450, up: true, addresses: [] },
      { name: 'tun0', mac: '', mtu: 1420, up: false, addresses: [{ address: '10.8.0.2', prefix: 32 }] },
    ]);
  });

  test('sockets of every notation, with the kernel’s own among them', () => {
    const sockets = [
      'udp   UNCONN 0      0      127.0.0.53%lo:53        0.0.0.0:*    users:(("systemd-resolve",pid=5,fd=13))',
      'udp   UNCONN 0      0            0.0.0.0:8472      0.0.0.0:*',
      'tcp   LISTEN 0      4096               *:10250           *:*    users:(("kubelet",pid=9,fd=3),("kubelet",pid=9,fd=4))',
      'tcp   LISTEN 0      128            [::1]:631          [::]:*',
    ].join('\n');
    expect(parse({ sockets }).listening).toEqual([
      { protocol: 'udp', address: '127.0.0.53', port: 53, process: 'systemd-resolve' },
      { protocol: 'udp', address: '*', port: 8472, process: '' },
      { protocol: 'tcp', address: '*', port: 10250, process: 'kubelet' },
      { protocol: 'tcp', address: '::1', port: 631, process: '' },
    ]);
  });

  test('without ss the kernel’s tables tell the ports', () => {
    const sockets = [
      'tcp sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode',
      'tcp 0: 0100007F:192B 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 2 1',
      'tcp 1: 0B02560A:0016 0102560A:C350 01 00000000:00000000 00:00000000 00000000     0        0 3 1',
      'tcp6 0: 00000000000000000000000000000000:280A 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 4 1',
      'udp 7: 00000000:2118 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 5 2',
    ].join('\n');
    expect(parse({ sockets }).listening).toEqual([
      { protocol: 'tcp', address: '127.0.0.1', port: 6443, process: '' },
      { protocol: 'tcp', address: '*', port: 10250, process: '' },
      { protocol: 'udp', address: '*', port: 8472, process: '' },
    ]);
  });

  test('of systemd-resolved’s stub the real resolver file is taken', () => {
    const stub =
      'file /etc/resolv.conf\nnameserver 127.0.0.53\nfile /run/systemd/resolve/resolv.conf\nnameserver 192.0.2.53\n\tnameserver 192.0.2.54';
    expect(parse({ resolv: stub }).resolvConf).toEqual({
      path: '/run/systemd/resolve/resolv.conf',
      nameservers: ['192.0.2.53', '192.0.2.54'],
    });
    const own = 'file /etc/resolv.conf\nnameserver 192.0.2.1\nfile /run/systemd/resolve/resolv.conf\nnameserver 192.0.2.53';
    expect(parse({ resolv: own }).resolvConf).toEqual({ path: '/etc/resolv.conf', nameservers: ['192.0.2.1'] });
  });

  test('a policy set by iptables-legacy counts beside nftables’ own tables', () => {
    const facts = parse({
      values: 'iptables iptables v1.8.7 (legacy)',
      commands: 'iptables\nnft',
      chains:
        'table inet filter {\n\tchain forward {\n\t\ttype filter hook forward priority filter; policy drop;\n-P FORWARD DROP\n-P INPUT ACCEPT',
    });
    expect(facts.iptables).toEqual({ present: true, mode: 'legacy', version: '1.8.7', forwardPolicy: 'DROP' });
    expect(facts.firewall.dropChains).toEqual([
      { family: 'inet', table: 'filter', chain: 'forward', hook: 'forward' },
      { family: 'ip', table: 'filter', chain: 'FORWARD', hook: 'forward' },
    ]);
  });

  test('iptables from before the two modes is legacy', () => {
    expect(parse({ values: 'iptables iptables v1.6.1', commands: 'iptables' }).iptables).toEqual({
      present: true,
      mode: 'legacy',
      version: '1.6.1',
      forwardPolicy: 'ACCEPT',
    });
  });

  test('firewalld counts when it is only enabled, ufw only when it says so itself', () => {
    expect(parse({ services: 'firewalld enabled\nId=ufw.service\nActiveState=active', commands: 'ufw' }).firewall).toMatchObject({
      firewalld: true,
      ufw: false,
    });
    expect(parse({ services: 'ENABLED=yes', commands: 'ufw' }).firewall.ufw).toBe(true);
  });

  test('SELinux has three states', () => {
    expect(['1', '0'].map((digit) => parse({ files: `/sys/fs/selinux/enforce:${digit}` }).selinux)).toEqual(['enforcing', 'permissive']);
  });

  test('a host of ours names its cluster', () => {
    const facts = parse({ cluster: '"cluster": "prod"', leftovers: 'slipway /var/lib/slipway' });
    expect([facts.cluster, facts.leftovers]).toEqual([{ name: 'prod' }, [{ of: 'slipway', path: '/var/lib/slipway' }]]);
  });

  test('commented proxies are none', () => {
    expect(parse({ proxies: '#http_proxy=http://a\nexport HTTPS_PROXY="http://b:3128"\nhttp_proxy=' }).proxies).toEqual({
      https_proxy: 'http://b:3128',
    });
  });
});
