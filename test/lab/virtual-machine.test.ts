import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { powerOff, powerOn } from '../../src/lab/index.ts';
import { difference, FINGERPRINT } from '../helpers/fingerprint.ts';
import { testLab, type TestLab } from '../helpers/lab.ts';

/** What only a host with a kernel of its own shows: modules that are loaded, control groups of systemd, settings that somebody must make at each boot. */
const KERNEL = `stat -f -c %T /sys/fs/cgroup
grep -o 'SystemdCgroup = true' /etc/containerd/config.toml
grep '^cgroupDriver:' /var/lib/kubelet/config.yaml
for m in br_netfilter overlay vxlan; do [ -d /sys/module/$m ] && echo $m; done
sysctl -n net.ipv4.ip_forward net.bridge.bridge-nf-call-iptables vm.overcommit_memory kernel.panic
ls -d /sys/fs/cgroup/kubepods.slice`;

describe('a cluster with a node that is a virtual machine', () => {
  let lab: TestLab;
  let found: string;
  beforeAll(async () => {
    lab = await testLab('vm', { hosts: 2, flags: ['--vm', '1'] });
    found = await lab.on('w-1', FINGERPRINT);
  });
  afterAll(() => lab.down());

  const kernel = (): Promise<string> => lab.on('w-1', KERNEL);
  const expected = [
    'cgroup2fs',
    'SystemdCgroup = true',
    'cgroupDriver: "systemd"',
    'br_netfilter',
    'overlay',
    'vxlan',
    '1',
    '1',
    '1',
    '10',
  ];

  test('is installed and verified, with control groups of systemd on v2', async () => {
    await lab.ok('apply', '--yes');
    expect((await kernel()).split('\n')).toEqual([...expected, '/sys/fs/cgroup/kubepods.slice']);
    expect((await lab.slipway('plan', '--detailed-exitcode')).exitCode).toBe(0);
  });

  test('is whole again after the machine has lost its power', async () => {
    const boot = await lab.on('w-1', 'cat /proc/sys/kernel/random/boot_id');
    await powerOff({ name: lab.name, host: 'w-1' });
    await powerOn({ name: lab.name, host: 'w-1' });
    expect(await lab.on('w-1', 'cat /proc/sys/kernel/random/boot_id')).not.toBe(boot);
    await lab.ok('verify');
    expect((await kernel()).split('\n')).toEqual([...expected, '/sys/fs/cgroup/kubepods.slice']);
    expect((await lab.slipway('plan', '--detailed-exitcode')).exitCode).toBe(0);
  });

  test('gives the machine back as it was', async () => {
    await lab.ok('reset', '--confirm', lab.name);
    expect(difference(found, await lab.on('w-1', FINGERPRINT))).toEqual([]);
  });
});
