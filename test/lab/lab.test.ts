import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { loadCluster } from '../../src/config/load.ts';
import * as lab from '../../src/lab/index.ts';
import { packageRoot } from '../../src/base/package-root.ts';
import { traces } from './traces.ts';

const unique = process.pid.toString(36);
const scratch = await mkdtemp(join(tmpdir(), 'slipway-lab-test-'));

afterAll(async () => {
  await rm(scratch, { recursive: true });
});

/** What `command` prints on a host, logged in with nothing but the files that the lab wrote. */
async function ssh(
  made: lab.Lab,
  host: string,
  command: string,
  input = '',
): Promise<{ exitCode: number | undefined; stdout: string; stderr: string }> {
  const address = made.hosts.find((h) => h.name === host)!.address;
  const options = [
    'IdentitiesOnly=yes',
    'StrictHostKeyChecking=yes',
    `UserKnownHostsFile=${made.knownHosts}`,
    'GlobalKnownHostsFile=/dev/null',
    'BatchMode=yes',
    'ConnectTimeout=3',
  ];
  const args = ['-F', '/dev/null', '-i', made.identityFile, ...options.flatMap((o) => ['-o', o]), `${made.user}@${address}`, command];
  const { exitCode, stdout, stderr } = await execa('ssh', args, { reject: false, input });
  return { exitCode, stdout, stderr };
}

function numberOf(made: lab.Lab): number {
  return Number(made.hosts[0]!.address.split('.')[2]);
}

async function stateOf(name: string, host: string): Promise<lab.LabHostStatus> {
  const [status] = await lab.labStatus({ name });
  return status!.hosts.find((h) => h.name === host)!;
}

describe('a lab of two hosts', () => {
  const name = `test-${unique}`;
  const directory = join(scratch, 'two');
  let made: lab.Lab;

  beforeAll(async () => {
    made = await lab.labUp({ name, hosts: 2, directory });
  }, 600_000);

  afterAll(async () => {
    await lab.labDown({ name });
  });

  test('has hosts that let its user in by the keys in its files, and are well', async () => {
    for (const { name: host } of made.hosts) {
      const { stdout, stderr } = await ssh(made, host, 'hostname; systemctl is-system-running --wait; systemctl --failed --no-legend');
      expect({ stdout, stderr }).toEqual({ stdout: `${host}\nrunning`, stderr: '' });
    }
  });

  test('writes a cluster file for them, and a key that only its owner can read', async () => {
    const { cluster } = await loadCluster(made.clusterFile);
    expect(cluster.hosts.map(({ name: host, address, roles }) => ({ host, address, roles }))).toEqual([
      { host: 'cp-1', address: made.hosts[0]!.address, roles: ['control-plane', 'etcd'] },
      { host: 'w-1', address: made.hosts[1]!.address, roles: ['worker'] },
    ]);
    expect((await stat(made.identityFile)).mode & 0o777).toBe(0o600);
  });

  test('has hosts that are not each other', async () => {
    const { hosts } = await lab.labExec({
      name,
      command: 'cat /etc/machine-id /proc/sys/kernel/random/boot_id /sys/class/net/host0/address /etc/ssh/ssh_host_*_key.pub',
    });
    const lines = hosts.flatMap((host) => host.stdout.split('\n').map((line) => line.replace(/ root@.*/, '')));
    expect(lines).toHaveLength(12);
    expect(new Set(lines).size).toBe(12);
  });

  test('has hosts that reach each other, and the mirror: a package can be installed at once', async () => {
    const [cp, w] = made.hosts;
    expect((await ssh(made, 'cp-1', `exec 3<>/dev/tcp/${w!.address}/22; head -c 4 <&3`)).stdout).toBe('SSH-');
    expect((await ssh(made, 'w-1', `exec 3<>/dev/tcp/${cp!.address}/22; head -c 4 <&3`)).stdout).toBe('SSH-');
    const { exitCode, stderr } = await ssh(
      made,
      'w-1',
      'apt-get install --yes --quiet haproxy >/dev/null && systemctl is-active --quiet haproxy',
    );
    expect({ exitCode, stderr: exitCode === 0 ? '' : stderr }).toEqual({ exitCode: 0, stderr: '' });
  });

  test('has hosts that make control groups of their own and set kernel values without changing another', async () => {
    const before = await readFile('/proc/sys/vm/overcommit_memory', 'utf8');
    const other = before.trim() === '1' ? '2' : '1';
    const group = '$([ -d /sys/fs/cgroup/memory ] && echo /sys/fs/cgroup/memory || echo /sys/fs/cgroup)/slipway-test';
    const { stdout } = await ssh(
      made,
      'cp-1',
      `sysctl -q vm.overcommit_memory=${other} net.ipv4.ip_forward=1; sysctl -n vm.overcommit_memory net.ipv4.ip_forward; mkdir ${group} && ls -d ${group} && rmdir ${group}`,
    );
    expect(stdout).toMatch(new RegExp(`^${other}\n1\n/sys/fs/cgroup/.*slipway-test$`));
    expect((await ssh(made, 'w-1', 'sysctl -n vm.overcommit_memory')).stdout).toBe(before.trim());
    expect(await readFile('/proc/sys/vm/overcommit_memory', 'utf8')).toBe(before);
  });

  test('runs a command everywhere, says who said what, and returns the worst exit code', async () => {
    const lines: string[] = [];
    const result = await lab.labExec({ name, command: 'hostname; [ $(hostname) = w-1 ] && exit 7', onLine: (line) => lines.push(line) });
    expect(lines.sort()).toEqual(['cp-1 | cp-1', 'w-1  | w-1']);
    expect(result).toMatchObject({ exitCode: 7, hosts: [{ exitCode: 1 }, { exitCode: 7 }] });
  });

  test('keeps a disk through a loss of power', async () => {
    await ssh(made, 'w-1', 'echo here > /root/file; echo here > /var/lib/file; sync');
    await lab.powerOff({ name, host: 'w-1' });
    expect(await stateOf(name, 'w-1')).toMatchObject({ power: 'off', ssh: 'silent' });
    expect((await ssh(made, 'cp-1', 'true')).exitCode).toBe(0);
    await lab.powerOn({ name, host: 'w-1' });
    expect((await ssh(made, 'w-1', 'cat /root/file /var/lib/file')).stdout).toBe('here\nhere');
  });

  test('starts a host again that rebooted, whoever asked for it', async () => {
    const boot = async (): Promise<string> => (await ssh(made, 'w-1', 'cat /proc/sys/kernel/random/boot_id')).stdout;
    const first = await boot();
    await lab.reboot({ name, host: 'w-1' });
    const second = await boot();
    await ssh(made, 'w-1', 'systemctl reboot');
    let third = '';
    while (third === '' || third === second) third = await boot();
    expect(new Set([first, second, third]).size).toBe(3);
  });

  test('pauses a host and cuts it off, and undoes both', async () => {
    const steps: [(ref: lab.HostRef) => Promise<void>, object][] = [
      [lab.pause, { power: 'paused', network: 'connected', ssh: 'silent' }],
      [lab.resume, { power: 'on', network: 'connected', ssh: 'answers' }],
      [lab.cutOff, { power: 'on', network: 'cut off', ssh: 'silent' }],
      [lab.reconnect, { power: 'on', network: 'connected', ssh: 'answers' }],
    ];
    for (const [change, state] of steps) {
      await change({ name, host: 'cp-1' });
      // A link that is back needs a moment until neighbours know each other again.
      let seen = await stateOf(name, 'cp-1');
      for (let looks = 0; looks < 60 && !isDeepStrictEqual({ ...seen, ...state }, seen); looks++) {
        await delay(250);
        seen = await stateOf(name, 'cp-1');
      }
      expect(seen).toMatchObject(state);
    }
  });

  test('stays as it is when it is asked for again, and is not turned into another', async () => {
    const boots = async (): Promise<string[]> =>
      (await lab.labExec({ name, command: 'cat /proc/sys/kernel/random/boot_id' })).hosts.map((h) => h.stdout);
    const before = await boots();
    expect(await lab.labUp({ name, hosts: 2, directory })).toEqual(made);
    expect(await boots()).toEqual(before);
    await expect(lab.labUp({ name, hosts: 3, directory })).rejects.toMatchObject({ code: 'LAB_EXISTS' });
  });

  test('goes without a trace, even with a host paused and another off, and going twice is no error', async () => {
    expect(await traces(name, { number: numberOf(made), directory })).not.toEqual([]);
    await lab.pause({ name, host: 'cp-1' });
    await lab.powerOff({ name, host: 'w-1' });
    await lab.labDown({ name });
    expect(await traces(name, { number: numberOf(made), directory })).toEqual([]);
    expect(await lab.labStatus({ name })).toEqual([]);
    await lab.labDown({ name });
  });
});

describe('an offline lab whose user is not root', () => {
  const name = `test-${unique}-off`;
  let made: lab.Lab;

  beforeAll(async () => {
    made = await lab.labUp({
      name,
      hosts: 1,
      offline: true,
      user: 'admin',
      sudoPassword: "it's: a secret",
      directory: join(scratch, 'offline'),
    });
  }, 600_000);

  afterAll(async () => {
    await lab.labDown({ name });
  });

  test('asks for the password, and takes it', async () => {
    expect((await ssh(made, 'cp-1', 'sudo --non-interactive id -u')).exitCode).not.toBe(0);
    expect((await ssh(made, 'cp-1', "sudo --stdin --prompt='' id -u", "it's: a secret\n")).stdout).toBe('0');
  });

  test('leads nowhere', async () => {
    // A documentation address (RFC 5737) that is routed to the machine like any other, and refused there.
    const { stderr, exitCode } = await ssh(made, 'cp-1', 'exec 3<>/dev/tcp/198.51.100.1/80');
    expect({ exitCode, stderr }).toEqual({ exitCode: 1, stderr: expect.stringMatching(/unreachable|refused/) });
  });
});

describe('a snapshot of a lab', () => {
  const name = `test-${unique}-kept`;
  const label = `test-${unique}`;
  const directory = join(scratch, 'kept');
  const again = { name: `${name}-again`, directory: join(scratch, 'again'), from: label };
  let made: lab.Lab;

  beforeAll(async () => {
    made = await lab.labUp({ name, hosts: 2, directory });
    await lab.labExec({
      name,
      command:
        'hostname >/root/file; hostname >/var/lib/file; rm /etc/debian_version; rm -r /usr/share/doc; mkdir /usr/share/doc; chmod 750 /opt',
    });
    await mkdir(join(directory, 'c.state'));
    await writeFile(join(directory, 'c.state/key'), 'secret', { mode: 0o600 });
    await writeFile(join(directory, 'notes'), 'not of a run');
    await lab.labSnapshot({ name, label });
  }, 600_000);

  afterAll(async () => {
    await lab.labDown({ name });
    await lab.labDown(again);
    if ((await lab.labSnapshots()).some((each) => each.label === label)) await lab.removeSnapshot(label);
  });

  const seen = async (of: { name: string }): Promise<string[]> =>
    (
      await lab.labExec({
        ...of,
        command:
          'cat /root/file /var/lib/file; ls /etc/debian_version /root/later; ls /usr/share/doc; stat -c %a /opt; cat /etc/machine-id',
      })
    ).hosts.map(({ stdout }) => stdout);

  test('leaves the lab as it was, and is listed', async () => {
    expect((await ssh(made, 'w-1', 'cat /root/file')).stdout).toBe('w-1');
    const listed = (await lab.labSnapshots()).find((each) => each.label === label);
    expect(listed).toMatchObject({ lab: name, hosts: ['cp-1', 'w-1'], usedBy: [] });
    expect(listed!.bytes).toBeGreaterThan(1_000_000);
    await expect(lab.labSnapshot({ name, label })).rejects.toMatchObject({ code: 'LAB_SNAPSHOT_EXISTS' });
  });

  test('is refused a second lab with the same addresses', async () => {
    await expect(lab.labUp(again)).rejects.toMatchObject({ code: 'LAB_SNAPSHOT_IN_USE', message: expect.stringContaining(`"${name}"`) });
    expect(await lab.labStatus({ name: again.name })).toEqual([]);
  });

  test('becomes the same lab any number of times, with its files; what was done in one is not in the next', async () => {
    const before = await seen({ name });
    expect(before).toEqual(['cp-1', 'w-1'].map((host) => expect.stringMatching(new RegExp(`^${host}\n${host}\n750\n[0-9a-f]{32}$`))));
    await lab.labDown({ name });
    for (let times = 0; times < 2; times++) {
      const restored = await lab.labUp(again);
      expect(restored.hosts.map(({ name: host, address }) => [host, address])).toEqual(
        made.hosts.map(({ name: host, address }) => [host, address]),
      );
      expect(await seen(again)).toEqual(before);
      expect(
        (await ssh(restored, 'w-1', 'touch /root/later; echo changed >/var/lib/file; systemctl is-system-running --wait')).stdout,
      ).toBe('running');
      expect((await readdir(again.directory)).sort()).toEqual(['c.state', 'cluster.yaml', 'id_ed25519', 'id_ed25519.pub', 'known_hosts']);
      expect(await readFile(join(again.directory, 'c.state/key'), 'utf8')).toBe('secret');
      expect((await stat(join(again.directory, 'c.state/key'))).mode & 0o777).toBe(0o600);
      await expect(lab.removeSnapshot(label)).rejects.toMatchObject({ code: 'LAB_SNAPSHOT_IN_USE' });
      await lab.labDown(again);
      await rm(again.directory, { recursive: true });
    }
  });

  test('can be removed, and is then unknown', async () => {
    await lab.removeSnapshot(label);
    await expect(lab.labUp(again)).rejects.toMatchObject({ code: 'LAB_SNAPSHOT_UNKNOWN' });
    expect((await lab.labSnapshots()).map((each) => each.label)).not.toContain(label);
  });
});

describe('the files of somebody else', () => {
  const name = `test-${unique}-files`;

  test('are not overwritten', async () => {
    const directory = await mkdtemp(join(scratch, 'files-'));
    await writeFile(join(directory, 'cluster.yaml'), 'mine');
    await expect(lab.labUp({ name, hosts: 1, directory })).rejects.toMatchObject({
      code: 'LAB_FILE_EXISTS',
      where: { file: join(directory, 'cluster.yaml') },
    });
    expect(await lab.labStatus({ name })).toEqual([]);
  });

  test('are left alone when the lab goes: what was changed, and what the lab did not write', async () => {
    const directory = join(scratch, 'changed');
    const { clusterFile } = await lab.labUp({ name, hosts: 1, directory });
    await writeFile(clusterFile, 'changed');
    await lab.labDown({ name });
    expect(await readFile(clusterFile, 'utf8')).toBe('changed');
    expect(existsSync(join(directory, 'id_ed25519'))).toBe(false);
  });
});

describe('`lab up` killed in the middle', () => {
  const name = `test-${unique}-kill`;
  const directory = join(scratch, 'killed');
  const up = () =>
    execa(process.execPath, [join(packageRoot(), 'bin/slipway.js'), 'lab', 'up', '--name', name, '--directory', directory], {
      reject: false,
      all: true,
    });
  const recordFile = `/var/lib/slipway-lab/${name}/lab.json`;
  const moments: Record<string, () => Promise<boolean>> = {
    'when its plan is written down': () => Promise.resolve(existsSync(recordFile)),
    'when a disk is being made': () => Promise.resolve(existsSync(`/var/lib/slipway-lab/${name}/hosts/w-1/var`)),
    'when the first host starts': async () => (await lab.labStatus({ name }))[0]?.hosts.some((host) => host.power === 'on') ?? false,
    'when the first host answers': async () => (await lab.labStatus({ name }))[0]?.hosts.some((host) => host.ssh === 'answers') ?? false,
  };

  async function killAt(moment: () => Promise<boolean>): Promise<number> {
    const child = up();
    while (!(await moment())) {
      if (child.exitCode !== null) throw new Error(`it ended before: ${String((await child).all)}`);
      await delay(2);
    }
    child.kill('SIGKILL');
    await child;
    return (JSON.parse(await readFile(recordFile, 'utf8')) as { number: number }).number;
  }

  afterAll(async () => {
    await lab.labDown({ name });
  });

  test.each(Object.entries(moments))('%s: `lab down` removes all of it', async (_, moment) => {
    const number = await killAt(moment);
    await lab.labDown({ name });
    expect(await traces(name, { number, directory })).toEqual([]);
  });

  test('and asked for again, makes a whole lab', async () => {
    await killAt(moments['when the first host starts']!);
    const { exitCode, all } = await up();
    expect({ exitCode, all }).toMatchObject({ exitCode: 0 });
    const [status] = await lab.labStatus({ name });
    expect(status).toMatchObject({ state: 'up', hosts: [{ ssh: 'answers' }, { ssh: 'answers' }, { ssh: 'answers' }] });
  });
});
