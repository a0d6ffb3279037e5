import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { packageRoot } from '../../src/base/package-root.ts';
import { powerOff, powerOn } from '../../src/lab/index.ts';
import { difference, FINGERPRINT } from '../helpers/fingerprint.ts';
import { testLab, type TestLab } from '../helpers/lab.ts';

/** What an administrator's host has of its own, in places where we work too. */
const OWN = `
mkdir -p /etc/cni/net.d /opt/cni/bin && echo mine >/etc/cni/README && chmod 0750 /etc/cni
iptables -w -N MINE && iptables -w -A MINE -s 192.0.2.0/24 -j DROP && iptables -w -I INPUT -j MINE && iptables -w -I FORWARD -s 198.51.100.7 -m comment --comment "not -j KUBE-FORWARD" -j DROP
iptables -w -t nat -A POSTROUTING -s 192.0.2.0/24 -j MASQUERADE
ip route add 198.18.77.0/24 dev lo
sysctl -qw kernel.panic=3`;

/** Waits until dpkg is between unpacking and the end. */
const UNPACKED = `until dpkg-query -W -f '\${Package} \${db:Status-Status}\\n' | grep -qe unpacked -e 'haproxy installed'; do :; done`;

describe('reset', () => {
  let lab: TestLab;
  let before: Record<string, string>;
  beforeAll(async () => {
    lab = await testLab('reset', { hosts: 2 });
    await lab.everywhere(OWN);
    before = await lab.everywhere(FINGERPRINT);
  });
  afterAll(() => lab.down());

  async function changes(): Promise<Record<string, string[]>> {
    const after = await lab.everywhere(FINGERPRINT);
    return Object.fromEntries(Object.keys(before).map((host) => [host, difference(before[host]!, after[host]!)]));
  }
  const none = { 'cp-1': [], 'w-1': [] };

  test('gives the hosts of a running cluster back as they were found', async () => {
    await lab.ok('apply', '--yes');
    const unconfirmed = await lab.slipway('reset', '--yes');
    expect(unconfirmed.exitCode).toBe(3);
    expect(unconfirmed.stderr).toContain(`--confirm ${lab.name}`);
    const misnamed = await lab.slipway('reset', '--confirm', 'another');
    expect(misnamed.exitCode).toBe(3);
    const { stderr } = await lab.ok('reset', '--confirm', lab.name);
    expect(stderr).toContain('the hosts are as they were found');
    expect(await changes()).toEqual(none);
  });

  test('finds nothing to do the second time', async () => {
    const { stderr } = await lab.ok('reset', '--confirm', lab.name);
    expect(stderr).toContain('Nothing to do');
    expect(await changes()).toEqual(none);
  });

  test.each([
    ['the kubelet was started', 'step.done', 'w-1/kubelet/unit', ':'],
    ['packages were unpacked', 'step.started', 'w-1/deliver-artifacts/package-haproxy', UNPACKED],
  ])('gives half an installation back, after a loss of power when %s', async (_, code, step, moment) => {
    const child = execa(process.execPath, [join(packageRoot(), 'bin/slipway.js'), 'apply', '--yes', '--events', '-'], {
      cwd: lab.directory,
      reject: false,
      stdin: 'ignore',
      buffer: { stdout: false },
    });
    for await (const line of createInterface({ input: child.stdout })) {
      const event = JSON.parse(line) as { code: string; step?: { id: string } };
      if (event.code !== code || event.step?.id !== step) continue;
      await lab.on('w-1', moment);
      child.kill('SIGKILL');
    }
    await child;
    await powerOff({ name: lab.name, host: 'w-1' });
    await powerOn({ name: lab.name, host: 'w-1' });
    await lab.ok('reset', '--confirm', lab.name);
    // What lives in memory went with the power.
    await lab.on('w-1', OWN.split('\n').slice(2).join('\n'));
    expect(await changes()).toEqual(none);
  });
});
