import { describe, expect, test } from '@jest/globals';
import { change, clusterOf, findings, kernelFeatures, withoutCommands } from './hosts.ts';

const GiB = 2 ** 30;

test('healthy hosts give no finding', () => {
  expect(findings()).toEqual([]);
});

test('hosts whose facts were not gathered are not judged', () => {
  expect(findings({ without: ['w-2'], facts: { 'w-1': change({ arch: 'riscv64' }) } })).toHaveLength(1);
});

test('the same finding on several hosts is one, and errors come before warnings', () => {
  const both = (facts: Parameters<ReturnType<typeof change>>[0]) => ({ ...facts, selinux: 'enforcing' as const, arch: 's390x' });
  expect(findings({ facts: { 'cp-1': both, 'w-2': both } }).map((line) => line.split(']')[0])).toEqual([
    'error architecture [cp-1 w-2',
    'warning selinux [cp-1 w-2',
  ]);
});

describe('operating system', () => {
  const system = (id: string, versionId: string, prettyName: string, like: string[] = []) =>
    change({ os: { id, versionId, prettyName, like } });

  test('an unknown one is refused with those that are known', () => {
    expect(findings({ facts: { 'w-1': system('alpine', '3.22.1', 'Alpine Linux v3.22') } })).toEqual([
      'error operating-system [w-1] Alpine Linux v3.22 is not supported: nothing is known about this system -> Use one of: Debian 11+, Ubuntu 20.04+, RHEL and its rebuilds 8+, Fedora, openEuler 20.03+, SLES and openSUSE Leap 15+, Tumbleweed.',
    ]);
  });

  test('a release that is too old is refused', () => {
    expect(findings({ facts: { 'w-1': system('centos', '7', 'CentOS Linux 7 (Core)', ['rhel', 'fedora']) } })).toEqual([
      'error operating-system [w-1] CentOS Linux 7 (Core) is not supported: release 8 is the oldest supported of this family -> Use one of: Debian 11+, Ubuntu 20.04+, RHEL and its rebuilds 8+, Fedora, openEuler 20.03+, SLES and openSUSE Leap 15+, Tumbleweed.',
    ]);
  });

  test('an immutable edition has no package manager', () => {
    expect(findings({ facts: { 'w-1': system('fedora', '43', 'Fedora CoreOS 43') } })).toEqual([
      'error operating-system [w-1] Fedora CoreOS 43 has no dnf, with which packages are installed -> Immutable editions are not supported: use the ordinary edition of this system.',
    ]);
  });

  test('one that is known but not proven is warned about', () => {
    expect(findings({ facts: { 'w-1': system('ubuntu', '24.04', 'Ubuntu 24.04.3 LTS', ['debian']) } })).toEqual([
      'warning operating-system [w-1] Ubuntu 24.04.3 LTS is known, but not part of the tests on real hosts -> Try it with a host that you can spare first, and report what you see.',
    ]);
  });
});

test('other processors are refused', () => {
  expect(findings({ facts: { 'w-1': change({ arch: 'arm' }) } })).toEqual([
    'error architecture [w-1] the processor architecture is arm -> There are binaries for amd64 and arm64 only; on a 64-bit processor install a 64-bit system.',
  ]);
  expect(findings({ facts: { 'w-1': change({ arch: 'arm64' }) } })).toEqual([]);
});

describe('init system', () => {
  test('another one is refused', () => {
    expect(findings({ facts: { 'w-1': change({ init: 'sh', systemdVersion: 0 }) } })).toEqual([
      'error init-system [w-1] process 1 is sh, not systemd -> Every component runs as a systemd unit: boot the host (or container) with systemd.',
    ]);
  });

  test('an old systemd is refused', () => {
    expect(findings({ facts: { 'w-1': change({ systemdVersion: 219 }) } })).toEqual([
      'error init-system [w-1] systemd 219 is too old -> At least systemd 239 is needed: upgrade the operating system.',
    ]);
  });
});

describe('hostname', () => {
  test('must be the name in the file', () => {
    expect(findings({ facts: { 'w-1': change({ hostname: 'debian' }) } })).toEqual([
      'error hostname [w-1] its hostname is debian, but the cluster file says w-1 -> Run hostnamectl set-hostname w-1 there, or write name: debian in the cluster file.',
    ]);
  });

  test('is compared in lower case, as the kubelet registers', () => {
    expect(findings({ facts: { 'w-1': change({ hostname: 'W-1' }) } })).toEqual([]);
  });

  test.each([
    ['localhost.localdomain', 'its hostname is localhost.localdomain -> Give it a name of its own: hostnamectl set-hostname NAME.'],
    [
      'web_1',
      'its hostname web_1 cannot be a node name -> A node name has lower case letters, digits, dots and dashes, and starts and ends with a letter or digit: hostnamectl set-hostname NAME.',
    ],
    [
      '',
      'its hostname is empty -> A node name has lower case letters, digits, dots and dashes, and starts and ends with a letter or digit: hostnamectl set-hostname NAME.',
    ],
  ])('of a host without a name in the file must be usable: %p', (hostname, text) => {
    const cluster = clusterOf();
    const unnamed = { ...cluster, hosts: cluster.hosts.map((host) => (host.name === 'w-1' ? { ...host, named: false } : host)) };
    expect(findings({ cluster: unnamed, facts: { 'w-1': change({ hostname }) } })).toEqual([
      `error hostname [${hostname.startsWith('localhost') ? hostname : 'w-1'}] ${text}`,
    ]);
  });
});

describe('identity', () => {
  test('two entries may not lead to one machine', () => {
    const same = { hostname: 'w-1', machineId: 'same', bootId: 'same' };
    const lines = findings({ facts: { 'w-1': change(same), 'w-2': change(same) } });
    expect(lines[0]).toBe(
      'error identity [w-1 w-2] w-1 and w-2 are one and the same machine -> Two entries of the cluster file lead to it: remove one, or correct its address.',
    );
    expect(lines.filter((line) => line.includes(' identity '))).toHaveLength(1);
  });

  test('a machine-id that came with a clone is refused', () => {
    expect(findings({ facts: { 'w-1': change({ machineId: 'same' }), 'w-2': change({ machineId: 'same' }) } })).toEqual([
      'error identity [w-1 w-2] they have the same /etc/machine-id: they were cloned -> On all but one of them run rm /etc/machine-id /var/lib/dbus/machine-id; systemd-machine-id-setup; then reboot it.',
    ]);
  });

  test('a hostname that two hosts without names share is refused', () => {
    const cluster = clusterOf();
    const unnamed = { ...cluster, hosts: cluster.hosts.map((host) => ({ ...host, named: false })) };
    expect(findings({ cluster: unnamed, facts: { 'w-1': change({ hostname: 'debian' }), 'w-2': change({ hostname: 'debian' }) } })).toEqual(
      ['error identity [debian w-2] they have the same hostname, debian -> Give each a name of its own: hostnamectl set-hostname NAME.'],
    );
  });

  test('a shared product UUID is warned about, unless it is a placeholder of the firmware', () => {
    const uuid = (productUuid: string) => ({ 'w-1': change({ productUuid }), 'w-2': change({ productUuid }) });
    expect(findings({ facts: uuid('4c4c4544-0042-3510-8054-b7c04f4a0001') })).toEqual([
      'warning identity [w-1 w-2] they have the same product UUID (/sys/class/dmi/id/product_uuid): they were cloned -> Give each virtual machine a UUID of its own in the hypervisor; monitoring and cloud controllers tell nodes apart by it.',
    ]);
    expect(findings({ facts: uuid('03000200-0400-0500-0006-000700080009') })).toEqual([]);
    expect(findings({ facts: uuid('00000000-0000-0000-0000-000000000000') })).toEqual([]);
    expect(findings({ facts: uuid('not settable') })).toEqual([]);
  });

  test('a shared MAC address of the interfaces that the nodes use is refused', () => {
    const mac = (facts: Parameters<ReturnType<typeof change>>[0]) => ({
      ...facts,
      interfaces: facts.interfaces.map((i) => ({ ...i, mac: '52:54:00:aa:bb:cc' })),
    });
    expect(findings({ facts: { 'w-1': mac, 'w-2': mac } })).toEqual([
      'error identity [w-1 w-2] the interfaces with their private addresses have the same MAC address, 52:54:00:aa:bb:cc -> Give each virtual machine a MAC address of its own in the hypervisor.',
    ]);
  });

  test('an address that two hosts hold is refused', () => {
    const second = (facts: Parameters<ReturnType<typeof change>>[0]) => ({
      ...facts,
      interfaces: facts.interfaces.map((i) =>
        i.name === 'eth0' ? { ...i, addresses: [...i.addresses, { address: '10.0.0.21', prefix: 24 }] } : i,
      ),
    });
    expect(findings({ facts: { 'w-2': second } })).toEqual([
      'error identity [w-1 w-2] they have the same private address, 10.0.0.21 -> Give each host an address of its own, or set privateAddress in the cluster file to one that it alone has.',
    ]);
  });
});

describe('clock', () => {
  const skewed = (ms: number) => change({ clock: { host: 1_795_000_000_000 + ms, operator: 1_795_000_000_000 } });
  const hint =
    'Run a time service there: timedatectl set-ntp true (systemd-timesyncd or chrony), then timedatectl to see whether it is synchronised.';

  test('two seconds are tolerated, more is warned about, more than thirty are refused', () => {
    expect(findings({ facts: { 'w-1': skewed(2000) } })).toEqual([]);
    expect(findings({ facts: { 'w-1': skewed(-2500) } })).toEqual([
      `warning clock [w-1] its clock is 2.5 s behind this machine's -> ${hint}`,
    ]);
    expect(findings({ facts: { 'w-1': skewed(30_000) } })).toEqual([
      `warning clock [w-1] its clock is 30 s ahead of this machine's -> ${hint}`,
    ]);
    expect(findings({ facts: { 'w-1': skewed(31_000) } })).toEqual([
      `error clock [w-1] its clock is 31 s ahead of this machine's -> ${hint}`,
    ]);
    expect(findings({ facts: { 'w-1': skewed(600_000) } })).toEqual([
      `error clock [w-1] its clock is 10 minutes ahead of this machine's -> ${hint}`,
    ]);
  });

  test('when all hosts agree, the machine that asks is wrong', () => {
    expect(findings({ facts: { 'cp-1': skewed(-7_200_000), 'w-1': skewed(-7_200_100), 'w-2': skewed(-7_199_000) } })).toEqual([
      'error clock [] the clock of this machine is 2 hours ahead of all hosts -> Set the clock of the machine that you run this on: certificates are dated by it.',
    ]);
  });

  test('hosts that are all wrong in different ways are named one by one', () => {
    expect(
      findings({ facts: { 'cp-1': skewed(5000), 'w-1': skewed(-5000), 'w-2': skewed(90_000) } }).map((line) => line.split(' ->')[0]),
    ).toEqual([
      "error clock [w-2] its clock is 90 s ahead of this machine's",
      "warning clock [cp-1] its clock is 5.0 s ahead of this machine's",
      "warning clock [w-1] its clock is 5.0 s behind this machine's",
    ]);
  });
});

test('memory: a control plane needs more than a worker', () => {
  const memory = (total: number) => change({ memory: { total, available: total } });
  expect(findings({ facts: { 'cp-1': memory(GiB), 'w-1': memory(0.5 * GiB), 'w-2': memory(GiB) } })).toEqual([
    'warning memory [cp-1] it has 1 GiB of memory; a control plane should have 1.5 GiB -> Give it more memory, or expect processes to be killed under load.',
    'warning memory [w-1] it has 512 MiB of memory; a worker should have 700 MiB -> Give it more memory, or expect processes to be killed under load.',
  ]);
});

describe('disks', () => {
  const disk =
    (path: string, fields: Partial<{ free: number; total: number; type: string; readOnly: boolean; noexec: boolean }>) =>
    (facts: Parameters<ReturnType<typeof change>>[0]) => ({
      ...facts,
      disks: facts.disks.map((one) => (one.path === path ? { ...one, ...fields } : one)),
    });

  test('directories of one file system share its room', () => {
    const all = (free: number) => (facts: Parameters<ReturnType<typeof change>>[0]) => ({
      ...facts,
      disks: facts.disks.map((one) => ({ ...one, free, total: 10 * GiB })),
    });
    expect(findings({ facts: { 'w-1': all(3 * GiB) } })).toEqual([
      'error disk-space [w-1] 3 GiB free for /opt, /var/lib, /var/lib/containerd and /var/lib/kubelet; 3.5 GiB are the least -> Free some space, enlarge the file system, or mount another one there.',
    ]);
    expect(findings({ facts: { 'w-1': all(5 * GiB) } })).toEqual([
      'warning disk-space [w-1] 5 GiB free for /opt, /var/lib, /var/lib/containerd and /var/lib/kubelet; 17 GiB are better -> Free some space, enlarge the file system, or mount another one there.',
    ]);
  });

  test('etcd’s directory counts on its members only', () => {
    const own = disk('/var/lib/etcd', { free: 0.25 * GiB, total: GiB });
    expect(findings({ facts: { 'cp-1': own, 'w-1': own } })).toEqual([
      'error disk-space [cp-1] 256 MiB free for /var/lib/etcd; 512 MiB are the least -> Free some space, enlarge the file system, or mount another one there.',
    ]);
  });

  test('a share of free space at which the kubelet would evict is warned about', () => {
    expect(findings({ facts: { 'w-1': disk('/var/lib/containerd', { free: 70 * GiB, total: 500 * GiB }) } })).toEqual([
      'warning disk-space [w-1] only 14 % of the file system of /var/lib/containerd is free: below 15 % the kubelet evicts pods and admits none -> Free some space or enlarge the file system before pods run there.',
    ]);
  });

  test('read-only, noexec and overlay file systems are refused', () => {
    expect(
      findings({
        facts: {
          'w-1': disk('/opt', { noexec: true }),
          'w-2': disk('/var/lib/kubelet', { readOnly: true }),
          'cp-1': disk('/var/lib/containerd', { type: 'overlay' }),
        },
      }),
    ).toEqual([
      'error disk-space [cp-1] /var/lib/containerd lies on overlay, on which containers cannot be stacked -> Mount a file system of another type there, such as ext4 or xfs.',
      'error disk-space [w-1] /opt is mounted noexec, so no program can run from there -> Remove noexec from its options in /etc/fstab, then mount -o remount,exec the file system.',
      'error disk-space [w-2] /var/lib/kubelet cannot be written: the file system is mounted read-only -> Look in dmesg for the cause, then mount -o remount,rw, or mount a writable file system there.',
    ]);
  });
});

test('swap is refused, with the way to keep it off', () => {
  expect(
    findings({
      facts: {
        'w-1': change({ swap: [{ device: '/dev/sda2', size: 2 * GiB }] }),
        'w-2': change({ swap: [{ device: '/dev/zram0', size: 0.5 * GiB }] }),
      },
    }),
  ).toEqual([
    'error swap [w-1] swap is on: /dev/sda2 (2 GiB) -> Run swapoff -a, and remove its line from /etc/fstab, so that it stays off after a reboot.',
    'error swap [w-2] swap is on: /dev/zram0 (512 MiB) -> Run swapoff -a, and remove the package zram-generator-defaults (or zram-tools).',
  ]);
});

describe('commands', () => {
  test('missing ones are named with the packages that bring them', () => {
    expect(findings({ facts: { 'w-1': withoutCommands('flock', 'tar', 'base64', 'head') } })).toEqual([
      'error commands [w-1] tar, flock, base64 and head are missing -> Run apt-get install tar util-linux coreutils.',
    ]);
  });

  test('gzip or zstd will do', () => {
    expect(
      findings({
        facts: { 'w-1': (facts) => ({ ...facts, commands: facts.commands.map((command) => (command === 'gzip' ? 'zstd' : command)) }) },
      }),
    ).toEqual([]);
    expect(findings({ facts: { 'w-1': withoutCommands('gzip') } })).toEqual([
      'error commands [w-1] gzip or zstd is missing -> Run apt-get install gzip.',
    ]);
  });

  test('packages have the names of the distribution', () => {
    const rocky = { os: { id: 'rocky', versionId: '9.6', prettyName: 'Rocky Linux 9.6', like: ['rhel'] } };
    const lines = findings({
      facts: {
        'w-1': (facts) => ({ ...facts, ...rocky, commands: ['dnf', ...facts.commands.filter((c) => !['ip', 'useradd'].includes(c))] }),
      },
    });
    expect(lines[0]).toBe('error commands [w-1] ip and useradd are missing -> Run dnf install iproute shadow-utils.');
  });

  test('what we install ourselves is not asked for', () => {
    const cluster = clusterOf('  network: { proxy: { mode: nftables } }');
    expect(findings({ cluster, facts: { 'w-1': withoutCommands('nft') } })).toEqual([]);
  });
});

describe('kernel', () => {
  const load = (module: string) =>
    `Try modprobe ${module}; where the module is missing, install the distribution's full kernel (such as linux-modules-extra or kernel-modules-extra), and in a container let the machine load it.`;

  test('what every node needs', () => {
    expect(findings({ facts: { 'w-1': kernelFeatures({ overlay: false, bridgeNetfilter: false }) } })).toEqual([
      `error kernel [w-1] the kernel has no overlay file system, on which containers stand -> ${load('overlay')}`,
      `error kernel [w-1] the kernel has no br_netfilter, without which Services fail between pods of one node -> ${load('br_netfilter')}`,
    ]);
  });

  test.each([
    [
      'flannel: { backend: vxlan }',
      { vxlan: false },
      `the kernel cannot make VXLAN interfaces (network.flannel.backend: vxlan) -> ${load('vxlan')} Or choose backend: host-gw when all hosts are in one network.`,
    ],
    [
      'flannel: { backend: wireguard }',
      { wireguard: false },
      `the kernel cannot make WireGuard interfaces (network.flannel.backend: wireguard) -> ${load('wireguard')} Or choose backend: vxlan.`,
    ],
    [
      'flannel: { backend: udp }',
      { tun: false },
      `/dev/net/tun is missing (network.flannel.backend: udp) -> ${load('tun')} Or choose backend: vxlan.`,
    ],
    [
      'proxy: { mode: ipvs }',
      { ipvs: false },
      `the kernel has no IPVS (network.proxy.mode: ipvs) -> ${load('ip_vs')} Or choose mode: iptables.`,
    ],
    [
      'proxy: { mode: nftables }',
      { nftables: false },
      'the kernel is not fit for network.proxy.mode: nftables, which needs nf_tables of Linux 5.13 or newer -> Choose mode: iptables, or upgrade the kernel.',
    ],
  ] as const)('what is asked for by %s', (network, missing, text) => {
    expect(findings({ cluster: clusterOf(`  network: { ${network} }`), facts: { 'w-1': kernelFeatures(missing) } })).toEqual([
      `error kernel [w-1] ${text}`,
    ]);
  });

  test('what nobody asks for may be missing', () => {
    const bare = kernelFeatures({
      vxlan: false,
      wireguard: false,
      ipvs: false,
      nftables: false,
      tun: false,
      conntrackWritable: false,
      oomScoreAdjNegative: false,
    });
    expect(findings({ cluster: clusterOf('  network: { flannel: { backend: host-gw } }'), facts: { 'w-1': bare } })).toEqual([]);
  });

  test('cgroup v1 is warned about, and a controller that is off is refused', () => {
    expect(
      findings({
        facts: { 'w-1': kernelFeatures({ cgroup: 1 }), 'w-2': kernelFeatures({ cgroupControllers: ['cpu', 'cpuset', 'pids'] }) },
      }),
    ).toEqual([
      'error kernel [w-2] the cgroup controller memory is off, so the kubelet cannot start -> Add cgroup_enable=memory to the kernel command line and reboot; in a container, delegate the controllers to it.',
      'warning kernel [w-1] it uses cgroup v1, which Kubernetes keeps only as a last resort and will drop -> Boot with systemd.unified_cgroup_hierarchy=1, or upgrade the operating system, when you can.',
    ]);
  });

  test('an old kernel is refused', () => {
    expect(findings({ facts: { 'w-1': change({ kernel: '4.15.0-213-generic' }) } })).toEqual([
      'error kernel [w-1] the kernel 4.15.0-213-generic is too old -> At least Linux 4.18 is needed: upgrade the operating system.',
    ]);
  });
});

test('inotify: a container cannot raise the limit that it shares', () => {
  const container = (facts: Parameters<ReturnType<typeof change>>[0]) => ({ ...facts, container: 'lxc' });
  expect(findings({ facts: { 'w-1': container, 'w-2': kernelFeatures({ inotifyInstances: 64 }) } })).toEqual([
    'warning inotify [w-1] fs.inotify.max_user_instances is 128: kubelets then fail with "too many open files" -> Run sysctl -w fs.inotify.max_user_instances=8192 on the machine that carries this container, and write it to /etc/sysctl.d/ there.',
    'warning inotify [w-2] fs.inotify.max_user_instances is 64: kubelets then fail with "too many open files" -> Run sysctl -w fs.inotify.max_user_instances=8192, and write it to /etc/sysctl.d/ there.',
  ]);
});

test('SELinux stays on, and is said to be unproven', () => {
  expect(findings({ facts: { 'w-1': change({ selinux: 'enforcing' }), 'w-2': change({ selinux: 'permissive' }) } })).toEqual([
    'warning selinux [w-1] SELinux is enforcing, which is not part of the tests on real hosts -> It stays on. Install container-selinux; if a unit fails, ausearch -m avc -ts recent shows what was denied.',
  ]);
});
