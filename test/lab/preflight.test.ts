import { readFile, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { testLab, TOUCHED, type TestLab } from '../helpers/lab.ts';

/** What an administrator's hosts may look like: each line is one thing that preflight must see, and the host that has it. */
const troubles: readonly { host: string; what: string; make: string }[] = [
  {
    host: 'cp-1',
    what: 'a system that is too old',
    make: `sed -i 's/12 (bookworm)/10 (buster)/; s/^VERSION_ID=.*/VERSION_ID="10"/' /etc/os-release`,
  },
  { host: 'cp-1', what: 'a name server on the loopback', make: 'echo nameserver 127.0.0.53 >/etc/resolv.conf' },
  { host: 'w-1', what: 'another hostname', make: 'hostnamectl set-hostname debian' },
  { host: 'w-1', what: 'a cloned machine-id', make: 'echo 0123456789abcdef0123456789abcdef >/etc/machine-id' },
  { host: 'w-2', what: 'a cloned machine-id', make: 'echo 0123456789abcdef0123456789abcdef >/etc/machine-id' },
  { host: 'w-1', what: 'traces of k3s', make: 'mkdir -p /etc/rancher/k3s' },
  {
    host: 'w-1',
    what: 'traces of kubeadm',
    make: 'mkdir -p /etc/kubernetes/manifests && touch /etc/kubernetes/manifests/kube-apiserver.yaml',
  },
  {
    host: 'w-1',
    what: 'a route into the pod network',
    make: 'ip link add tun9 type dummy && ip link set tun9 up && ip route add 10.244.9.0/24 dev tun9',
  },
  { host: 'w-1', what: 'no useradd', make: 'mv /usr/sbin/useradd /usr/sbin/useradd.away' },
  { host: 'w-1', what: 'a proxy', make: 'echo https_proxy=http://proxy.example:3128 >>/etc/environment' },
  { host: 'w-2', what: 'a taken TCP port', make: 'systemd-run --quiet --unit=squatter systemd-socket-activate -l 10250 /bin/cat' },
  {
    host: 'w-2',
    what: 'a taken UDP port',
    make: 'systemd-run --quiet --unit=squatter-udp systemd-socket-activate --datagram -l 8472 /bin/cat',
  },
  { host: 'w-2', what: 'a policy of DROP', make: 'iptables -w -P FORWARD DROP' },
  { host: 'w-2', what: 'a small file system without programs', make: 'mount -t tmpfs -o noexec,size=64m tmpfs /opt' },
  { host: 'w-2', what: 'a read-only file system', make: 'mkdir -p /var/lib/kubelet && mount -t tmpfs -o ro tmpfs /var/lib/kubelet' },
  { host: 'w-2', what: 'another MTU', make: `ip link set mtu 1300 dev $(ip route | sed -n 's/^default.* dev \\([^ ]*\\).*/\\1/p')` },
  { host: 'w-2', what: 'a network of somebody else', make: 'mkdir -p /etc/cni/net.d && echo {} >/etc/cni/net.d/10-calico.conflist' },
  { host: 'w-2', what: 'a kubelet of somebody else', make: 'touch /etc/systemd/system/kubelet.service' },
];

describe('preflight on hosts that are not fit', () => {
  let lab: TestLab;
  beforeAll(async () => {
    lab = await testLab('preflight');
    for (const host of ['cp-1', 'w-1', 'w-2']) {
      const here = troubles.filter((trouble) => trouble.host === host);
      await lab.on(host, ['set -e', ...here.map(({ make }) => make), 'touch /run/mark'].join('\n'));
    }
    await lab.on('w-2', 'until ss -ltn | grep -q :10250 && ss -lun | grep -q :8472; do sleep 0.1; done');
  });
  afterAll(() => lab.down());

  /** Addresses and names of the lab differ from run to run. */
  function settled(text: string): string {
    return text
      .replace(/\b10\.86\.\d+\.(\d+)\b/g, '10.86.0.$1')
      .replaceAll(lab.name, 'LAB')
      .replaceAll(lab.directory, 'DIRECTORY');
  }

  test('says everything at once: host, finding, way out; exit 5, and nothing is touched', async () => {
    const { exitCode, stderr } = await lab.slipway('apply', '--yes');
    expect(exitCode).toBe(5);
    // The kernel is the machine's own.
    const said = settled(stderr).replace(/^(?:.*log: |.*cgroup v1|.*inotify).*\n?/gm, '');
    const expected = new URL('../fixtures/preflight/lab.txt', import.meta.url);
    if (process.env['UPDATE_FIXTURES'] === '1') await writeFile(expected, said);
    expect(said).toBe(await readFile(expected, 'utf8'));
    expect(await lab.everywhere(TOUCHED)).toEqual({ 'cp-1': '', 'w-1': '', 'w-2': '' });
  });

  test('leaves out what it is told to, and says so', async () => {
    const { stderr } = await lab.slipway('plan', '--skip-check', 'ports');
    expect(stderr).toMatch(/ports/);
    expect(stderr).not.toMatch(/is taken by/);
  });
});
