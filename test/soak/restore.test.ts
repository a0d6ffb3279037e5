import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { powerOff } from '../../src/lab/index.ts';
import { testLab, type TestLab } from '../helpers/lab.ts';

describe('a cluster that lost two of three control planes for good', () => {
  let lab: TestLab;
  beforeAll(async () => {
    lab = await testLab('soak-restore', { hosts: 4, controlPlanes: 3 });
    await lab.ok('apply', '--yes');
    await lab.kubectl('create configmap kept --from-literal=n=1');
  });
  afterAll(() => lab.down());

  test('is not restored while etcd answers', async () => {
    const { exitCode, stderr } = await lab.slipway('restore', '--from-member', 'cp-2', '--confirm', lab.name);
    expect([exitCode, stderr]).toEqual([5, expect.stringContaining('etcd answers: most of its members are up [RESTORE_NEEDLESS]')]);
  });

  test('is not restored beside another member that is there', async () => {
    for (const host of ['cp-1', 'cp-3']) await lab.on(host, 'systemctl stop etcd');
    const { exitCode, stderr } = await lab.slipway('restore', '--from-member', 'cp-2', '--confirm', lab.name);
    expect([exitCode, stderr]).toEqual([5, expect.stringContaining('cp-1, cp-3: also there, and with data of etcd [RESTORE_OTHERS]')]);
  });

  test('is restored from the one that is left, and verified', async () => {
    for (const host of ['cp-1', 'cp-3']) await powerOff({ name: lab.name, host });
    const unconfirmed = await lab.slipway('restore', '--from-member', 'cp-2', '--yes');
    expect([unconfirmed.exitCode, unconfirmed.stderr]).toEqual([3, expect.stringContaining(`--confirm ${lab.name}`)]);
    const { stderr } = await lab.ok('restore', '--from-member', 'cp-2', '--confirm', lab.name);
    expect(stderr).toContain('slipway remove cp-1 --dead\n  slipway remove cp-3 --dead\n');
    await lab.ok('remove', 'cp-1', '--dead', '--yes');
    await lab.ok('remove', 'cp-3', '--dead', '--yes');
    await lab.ok('verify');
    const kubectl = '/opt/slipway/bin/kubectl --kubeconfig=/etc/kubernetes/super-admin.conf';
    expect(await lab.on('cp-2', `${kubectl} get configmap kept -o jsonpath='{.data.n}'`)).toBe('1');
    expect((await lab.ok('apply', '--yes')).stderr).toContain('Nothing to change');
  });
});
