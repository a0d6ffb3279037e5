import { describe, expect, test } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { supervisorScript } from '../../../src/lab/supervisor.ts';
import type { SupervisorOptions } from '../../../src/lab/supervisor.ts';
import { containerPower, type ContainerOptions } from '../../../src/lab/container.ts';
import { vmPower } from '../../../src/lab/vm.ts';

const container: ContainerOptions = {
  version: 1,
  layers: ['/snapshots/one', '/cache/an image'],
  directory: "/labs/it's/w-1",
  systemd: 252,
  machine: 'l1-w-1',
  hostname: 'w-1',
  bridge: 'slab1',
  binds: ['/dev/kmsg'],
};
const vm = vmPower({
  accelerator: 'tcg',
  directory: "/labs/it's/w-1",
  kernel: '/cache/an image/boot/vmlinuz',
  initrd: '/cache/an image/boot/initrd.img',
  machine: 'l1-w-1',
  bridge: 'slab1',
});

const base: SupervisorOptions = {
  hierarchies: ['/sys/fs/cgroup/memory', '/sys/fs/cgroup/cpu,cpuacct'],
  group: 'slipway-lab.demo.w-1',
  version: 1,
  units: false,
  power: containerPower(container),
};

describe("a host's supervisor", () => {
  test.each([
    ['cgroup v1', base],
    ['cgroup v2 without systemd', { ...base, version: 2, hierarchies: ['/sys/fs/cgroup'] }],
    ['a virtual machine', { ...base, power: vm }],
    ['a unit', { ...base, version: 2, hierarchies: ['/sys/fs/cgroup'], units: true }],
  ] as [string, SupervisorOptions][])('is a script that sh can read, with any directory: %s', (_, options) => {
    const { status, stderr } = spawnSync('sh', ['-n'], { input: supervisorScript(options), encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });

  test('leaves groups and reboots to systemd when it is a unit', () => {
    const script = supervisorScript({ ...base, version: 2, units: true });
    expect(script).not.toContain('cgroup.procs');
    expect(script.trimEnd().split('\n').at(-1)).toMatch(/^exec systemd-nspawn /);
  });

  test('gives the unified hierarchy to a host whose systemd knows no other', () => {
    expect(containerPower({ ...container, systemd: 258 }).command).toContain('SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1');
    expect(containerPower({ ...container, systemd: 257 }).command.join()).not.toContain('UNIFIED');
  });
});
