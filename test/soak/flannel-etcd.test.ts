import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ETCDCTL } from '../../src/components/etcd.ts';
import { etcdStore } from '../../src/components/flanneld.ts';
import { powerOff, powerOn } from '../../src/lab/index.ts';
import { testLab, type TestLab } from '../helpers/lab.ts';

let lab: TestLab;
let clusterFile: string;
let written: string;
beforeAll(async () => {
  lab = await testLab('soak-flannel-etcd', { hosts: 3, controlPlanes: 1 });
  clusterFile = join(lab.directory, 'cluster.yaml');
  written = `${(await readFile(clusterFile, 'utf8')).trimEnd()}\n  network: { flannel: { store: etcd } }\n`;
  await writeFile(clusterFile, written);
});
afterAll(() => lab.down());

const leases = (): Promise<string> => lab.on('cp-1', `${ETCDCTL} get --prefix --keys-only ${etcdStore.prefix}/subnets/ | grep -c .`);

test('flannel keeps its leases in etcd: a verified cluster that survives a loss of power, and has nothing to do', async () => {
  await lab.ok('apply', '--yes');
  for (const host of ['cp-1', 'w-1', 'w-2']) await powerOff({ name: lab.name, host });
  for (const host of ['cp-1', 'w-1', 'w-2']) await powerOn({ name: lab.name, host });
  await lab.ok('verify');
  expect((await lab.slipway('plan', '--detailed-exitcode')).exitCode).toBe(0);
  expect(await leases()).toBe('3');
});

test('may read and write its own prefix of etcd, and nothing else', async () => {
  const certificate = await lab.on('w-1', `cat ${etcdStore.certificate} ${etcdStore.key} ${etcdStore.authority}`);
  await lab.on('cp-1', `umask 077; cat >/run/flannel.pem <<'END'\n${certificate}\nEND`);
  const asked = (words: string): Promise<string> =>
    lab.on(
      'cp-1',
      `/opt/slipway/bin/etcdctl --endpoints=https://127.0.0.1:2379 --cacert=/etc/kubernetes/pki/etcd-ca.crt --cert=/run/flannel.pem --key=/run/flannel.pem ${words} 2>&1 || :`,
    );
  expect(await asked(`get ${etcdStore.prefix}/config`)).toContain('"SubnetLen": 24');
  for (const words of ['get --prefix --limit=1 /registry/secrets', 'put /registry/x y', 'member remove 1', 'user list', 'auth disable'])
    expect(await asked(words)).toContain('permission denied');
});

test('a node that is removed leaves no lease', async () => {
  await lab.ok('remove', 'w-2', '--yes');
  expect(await leases()).toBe('2');
  await lab.ok('verify');
});

test('a second control plane joins etcd as its users know it, and leaves', async () => {
  const host = /address: ([\d.]+)[^\n]*\bw-2\b|\bw-2\b[^\n]*address: ([\d.]+)/
    .exec(written)!
    .slice(1)
    .find((one) => one !== undefined)!;
  const endpoints = (): Promise<string> =>
    lab.on('w-1', `tr '\\0' '\\n' </proc/$(systemctl show -P MainPID flanneld)/cmdline | grep -c ${host}`);
  await lab.ok('join', 'w-2', '--address', host, '--role', 'control-plane', '--yes');
  await lab.ok('verify');
  expect(await lab.on('cp-1', `${ETCDCTL} member list`)).toContain(' w-2,');
  expect(await endpoints()).toBe('1');
  await lab.on('w-2', 'systemctl start etcd-defrag.service');
  await lab.ok('remove', 'w-2', '--yes');
  await lab.ok('verify');
  expect(await lab.on('cp-1', `${ETCDCTL} user list`)).not.toContain('w-2');
});

test('another store is refused while the cluster lives', async () => {
  await writeFile(clusterFile, (await readFile(clusterFile, 'utf8')).replace('store: etcd', 'store: kubernetes'));
  const { exitCode, stderr } = await lab.slipway('apply', '--yes');
  expect([exitCode, stderr]).toEqual([5, expect.stringContaining('NETWORK_STORE_FIXED')]);
});
