import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { testLab, TOUCHED, type TestLab } from '../helpers/lab.ts';

describe('what is refused before anything is changed', () => {
  let lab: TestLab;
  let clusterFile: string;
  let text: string;
  beforeAll(async () => {
    lab = await testLab('refusals', { hosts: 2 });
    clusterFile = join(lab.directory, 'cluster.yaml');
    text = await readFile(clusterFile, 'utf8');
  });
  beforeEach(async () => {
    await writeFile(clusterFile, text);
    await lab.everywhere('touch /run/mark');
  });
  afterAll(() => lab.down());

  async function expectUntouched(): Promise<void> {
    expect(await lab.everywhere(TOUCHED)).toEqual({ 'cp-1': '', 'w-1': '' });
  }

  test('a misspelt key: its line and column, the right spelling, exit 3', async () => {
    await writeFile(clusterFile, text.replace('roles: [worker]', 'rolls: [worker]'));
    const { exitCode, stderr } = await lab.slipway('apply', '--yes');
    expect(exitCode).toBe(3);
    expect(stderr).toMatch(/cluster\.yaml:\d+:\d+/);
    expect(stderr).toContain('rolls');
    expect(stderr).toContain('roles');
    await expectUntouched();
  });

  test('a host that does not answer: named, exit 4, the others untouched', async () => {
    await writeFile(clusterFile, text.replace(/(name: w-1, +address: [\d.]+\.)\d+/, '$1250'));
    const { exitCode, stderr } = await lab.slipway('apply', '--yes');
    expect(exitCode).toBe(4);
    expect(stderr).toMatch(/w-1/);
    expect(stderr).toContain('next:');
    await expectUntouched();
  });

  test('a changed host key: file and line, what to do, exit 4, and no byte of the login is sent', async () => {
    const before = await lab.on('w-1', 'cat /etc/ssh/ssh_host_ed25519_key.pub');
    const knownHosts = join(lab.directory, 'known_hosts');
    const known = await readFile(knownHosts, 'utf8');
    const other = (await lab.on('cp-1', 'cat /etc/ssh/ssh_host_ed25519_key.pub')).split(' ')[1]!;
    const address = /name: w-1, +address: ([\d.]+)/.exec(text)![1]!;
    await writeFile(
      knownHosts,
      known.replace(new RegExp(`^(${address.replaceAll('.', '\\.')}) ssh-ed25519 \\S+`, 'm'), `$1 ssh-ed25519 ${other}`),
    );
    const logins = await lab.on('w-1', 'journalctl -q -o cat -t sshd | grep -c Accepted || :');
    try {
      const { exitCode, stderr } = await lab.slipway('apply', '--yes');
      expect(exitCode).toBe(4);
      expect(stderr).toMatch(/HOST_KEY_CHANGED/);
      expect(stderr).toMatch(/known_hosts:\d+/);
      expect(stderr).toContain('ssh-keygen');
    } finally {
      await writeFile(knownHosts, known);
    }
    // One login more: the one that counts.
    expect(Number(await lab.on('w-1', 'journalctl -q -o cat -t sshd | grep -c Accepted || :'))).toBe(Number(logins) + 1);
    expect(before).not.toContain(other);
    await expectUntouched();
  });

  test('port 6443 in use: by which process, exit 5', async () => {
    await lab.on(
      'cp-1',
      'systemd-run --quiet --unit=squatter systemd-socket-activate -l 6443 /bin/cat; until ss -ltn | grep -q :6443; do sleep 0.1; done',
    );
    try {
      const { exitCode, stderr } = await lab.slipway('apply', '--yes');
      expect(exitCode).toBe(5);
      expect(stderr).toMatch(/cp-1.*6443/);
      expect(stderr).toContain('systemd-socket');
      await expectUntouched();
    } finally {
      await lab.on('cp-1', 'systemctl stop squatter');
    }
  });

  test('a plan that nobody can confirm: exit 3, and the flag that would do it', async () => {
    const { exitCode, stderr } = await lab.slipway('apply');
    expect(exitCode).toBe(3);
    expect(stderr).toContain('--yes');
    await expectUntouched();
  });
});
