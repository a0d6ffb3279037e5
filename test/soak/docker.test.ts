import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { powerOff, powerOn } from '../../src/lab/index.ts';
import { difference } from '../helpers/fingerprint.ts';
import { testLab, type TestLab } from '../helpers/lab.ts';

/** A container of docker's own, from what the host has. */
const CONTAINER = `docker image inspect own >/dev/null 2>&1 || tar -chf - -C / bin/sleep $(ldd /bin/sleep | grep -o '/[^ ]*') | docker import - own >/dev/null
docker rm -f own >/dev/null 2>&1 || :
docker run -d --name own own /bin/sleep infinity >/dev/null`;

const RULES = `iptables-save | sed 's/ \\[[0-9:]*\\]//' | grep -v '^[#*]'; systemctl is-active docker containerd`;

/** The same processes as before: nothing was restarted. */
const PROCESSES = `systemctl show -P MainPID docker containerd; docker inspect own --format '{{.State.Running}} {{.State.Pid}}'`;

describe('a host with docker, which drops what it does not forward itself', () => {
  let lab: TestLab;
  let before: string;
  beforeAll(async () => {
    lab = await testLab('soak-docker', { hosts: 2 });
    await lab.on(
      'w-1',
      'sysctl -qw net.ipv4.ip_forward=0; DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 --no-install-recommends install docker.io iptables >/dev/null && until docker info >/dev/null 2>&1; do sleep 0.2; done',
    );
    await lab.on('w-1', CONTAINER);
    before = await lab.on('w-1', RULES);
    expect(before).toContain(':FORWARD DROP');
  });
  afterAll(() => lab.down());

  test('is part of a verified cluster, and docker and its containers go on as before', async () => {
    const processes = await lab.on('w-1', PROCESSES);
    expect(processes).toMatch(/^true \d+$/m);
    await lab.ok('apply', '--yes');
    expect(await lab.on('w-1', PROCESSES)).toBe(processes);
    expect(difference(before, await lab.on('w-1', RULES)).filter((line) => line.startsWith('-'))).toEqual([]);
  });

  test('is so after docker was restarted, and after a loss of power', async () => {
    await lab.on('w-1', 'systemctl restart docker');
    await lab.ok('verify');
    await powerOff({ name: lab.name, host: 'w-1' });
    await powerOn({ name: lab.name, host: 'w-1' });
    await lab.ok('verify');
    // Where docker finds forwarding switched on, it leaves the policy alone: a node forwards from the moment it boots.
    expect(difference(before, await lab.on('w-1', RULES)).filter((line) => line.startsWith('-'))).toEqual(['- :FORWARD DROP']);
  });

  test('is given back with docker as it was', async () => {
    await lab.on('w-1', CONTAINER);
    const processes = await lab.on('w-1', PROCESSES);
    await lab.ok('reset', '--confirm', lab.name);
    expect(await lab.on('w-1', PROCESSES)).toBe(processes);
    expect(difference(before, await lab.on('w-1', RULES))).toEqual(['- :FORWARD DROP', '+ :FORWARD ACCEPT']);
  });
});
