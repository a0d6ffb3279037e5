import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { powerOff, powerOn } from '../../src/lab/index.ts';
import { difference } from '../helpers/fingerprint.ts';
import { testLab, type TestLab } from '../helpers/lab.ts';

const RULES = `iptables-save | sed 's/ \\[[0-9:]*\\]//' | grep -v '^#'; systemctl is-active docker containerd; docker info --format '{{.Driver}}'`;

describe('a host with docker, which drops what it does not forward itself', () => {
  let lab: TestLab;
  let before: string;
  beforeAll(async () => {
    lab = await testLab('soak-docker', { hosts: 2 });
    // Where docker finds forwarding switched on already, it leaves the policy alone.
    await lab.on(
      'w-1',
      'sysctl -qw net.ipv4.ip_forward=0; DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 --no-install-recommends install docker.io iptables >/dev/null && until docker info >/dev/null 2>&1; do sleep 0.2; done',
    );
    before = await lab.on('w-1', RULES);
    expect(before).toContain(':FORWARD DROP');
  });
  afterAll(() => lab.down());

  test('is part of a verified cluster, and docker goes on as before', async () => {
    await lab.ok('apply', '--yes');
    expect(difference(before, await lab.on('w-1', RULES)).filter((line) => line.startsWith('-'))).toEqual([]);
  });

  test('is so after docker was restarted, and after a loss of power', async () => {
    await lab.on('w-1', 'systemctl restart docker');
    await lab.ok('verify');
    await powerOff({ name: lab.name, host: 'w-1' });
    await powerOn({ name: lab.name, host: 'w-1' });
    await lab.ok('verify');
    expect(difference(before, await lab.on('w-1', RULES)).filter((line) => line.startsWith('-'))).toEqual([]);
  });

  test('is given back with docker as it was', async () => {
    await lab.ok('reset', '--confirm', lab.name);
    expect(difference(before, await lab.on('w-1', `until docker info >/dev/null 2>&1; do sleep 0.2; done; ${RULES}`))).toEqual([]);
  });
});
