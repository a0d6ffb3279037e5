import { describe, expect, test } from '@jest/globals';
import { groupOf, parseCgroupMounts } from '../../../src/lab/cgroups.ts';

const hybrid = `tmpfs /sys/fs/cgroup tmpfs rw 0 0
cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0
cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,cpu,cpuacct 0 0
cgroup /sys/fs/cgroup/systemd cgroup rw,name=systemd 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0
cgroup2 /somewhere/else cgroup2 rw 0 0
`;
const unified = 'cgroup2 /sys/fs/cgroup cgroup2 rw,nsdelegate 0 0\n';

describe('how a host gets its control groups', () => {
  test('on a hybrid machine it needs one in every hierarchy, the named and the unified one too', () => {
    expect(parseCgroupMounts(hybrid, { systemd: true })).toEqual({
      version: 1,
      hierarchies: ['/sys/fs/cgroup/cpu,cpuacct', '/sys/fs/cgroup/memory', '/sys/fs/cgroup/systemd', '/sys/fs/cgroup/unified'],
      units: false,
    });
  });

  test('with cgroup v2 under systemd it is a unit', () => {
    const groups = parseCgroupMounts(unified, { systemd: true });
    expect(groups).toEqual({ version: 2, hierarchies: ['/sys/fs/cgroup'], units: true });
    expect(groupOf(groups, 'demo', 'w-1')).toBe('system.slice/slipway-lab.demo.w-1.service');
  });

  test('with cgroup v2 and no systemd it makes its own', () => {
    const groups = parseCgroupMounts(unified, { systemd: false });
    expect(groups.units).toBe(false);
    expect(groupOf(groups, 'demo', 'w-1')).toBe('slipway-lab.demo.w-1');
  });
});
