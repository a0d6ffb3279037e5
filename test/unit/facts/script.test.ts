import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { isClockLine, parseFacts } from '../../../src/facts/parse.ts';
import { factsScript } from '../../../src/facts/script.ts';

const script = factsScript({ peers: ['127.0.0.1'] });

function run(
  text: string,
  options: { shell?: readonly string[]; input?: string } = {},
): { status: number | null; stdout: string; stderr: string } {
  const [shell = 'sh', ...words] = options.shell ?? ['sh'];
  return spawnSync(shell, [...words, '-c', text], { input: options.input ?? '', encoding: 'utf8' });
}

/** Keys that a careless probe would change: a number under /proc/sys read byte by byte comes back as its first digit. */
const sysctls = ['net/netfilter/nf_conntrack_max', 'fs/inotify/max_user_instances', 'net/ipv4/ip_forward'];
const readSysctls = (): string[] => sysctls.map((key) => (existsSync(`/proc/sys/${key}`) ? readFileSync(`/proc/sys/${key}`, 'utf8') : ''));
const links = (): string => readFileSync('/proc/net/dev', 'utf8').replaceAll(/[ \d]+/g, ' ');
const modules = (): string => (existsSync('/proc/modules') ? readFileSync('/proc/modules', 'utf8').replaceAll(/^(\w+) .*/gm, '$1') : '');

describe('the facts script on this machine', () => {
  const shells = [['dash'], ['bash', '--posix'], ['busybox', 'sh']].filter(
    ([name]) => spawnSync(name!, ['-c', ':']).error === undefined || name === 'busybox',
  );

  test.each(shells.filter(([name]) => spawnSync('sh', ['-c', `command -v ${name!}`]).status === 0))(
    'prints everything under %s',
    (...shell) => {
      const { status, stdout } = run(script, { shell });
      const facts = parseFacts(stdout, Date.now());
      expect(status).toBe(0);
      expect(facts.hostname).toBe(readFileSync('/proc/sys/kernel/hostname', 'utf8').trim());
      expect(facts.kernel).toBe(readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim());
      expect(facts.init).toBe(readFileSync('/proc/1/comm', 'utf8').trim());
      expect(facts.bootId.startsWith(readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim())).toBe(true);
      expect(facts.kernelFeatures.inotifyInstances).toBe(Number(readFileSync('/proc/sys/fs/inotify/max_user_instances', 'utf8')));
      expect(facts.memory.total).toBeGreaterThan(facts.memory.available);
      expect(facts.disks.map(({ path }) => path)).toContain('/var/lib/containerd');
      expect(facts.disks.every(({ free, total }) => total > 0 && free <= total)).toBe(true);
      expect(facts.interfaces.find(({ name }) => name === 'lo')?.addresses).toContainEqual({ address: '127.0.0.1', prefix: 8 });
      expect(facts.routesTo['127.0.0.1']).toEqual({ device: 'lo', source: '127.0.0.1' });
      expect(facts.commands).toContain('sed');
    },
  );

  test('changes neither kernel settings nor interfaces nor modules', () => {
    const before = [...readSysctls(), links(), modules()];
    expect(run(script).status).toBe(0);
    expect([...readSysctls(), links(), modules()]).toEqual(before);
  });

  test('may stand between other text: leaves no names, reads no input, does not exit and survives set -eu', () => {
    const { stdout, status } = run(`set -eu; echo first\n${script}\nset | grep '^f_' || :; cat; echo last`, { input: 'for the next one' });
    expect(status).toBe(0);
    expect(stdout.startsWith('first\n')).toBe(true);
    expect(stdout.endsWith('@facts end\nfor the next onelast\n')).toBe(true);
    expect(parseFacts(stdout, 0).hostname).not.toBe('');
  });

  test('says nothing on standard error', () => {
    expect(run(script).stderr).toBe('');
  });

  test('comes to its end where no tool exists at all', () => {
    const bare = script.replace(/^PATH=.*$/m, 'PATH=/nonexistent');
    expect(bare).not.toBe(script);
    const { status, stdout } = run(bare);
    const facts = parseFacts(stdout, 0);
    expect(status).toBe(0);
    expect(facts.commands).toEqual([]);
    expect(facts.interfaces).toEqual([]);
    expect(facts.iptables).toEqual({ present: false, mode: 'unknown', version: '', forwardPolicy: 'unknown' });
  });

  test('prints the clock on one line that can be stamped as it arrives', () => {
    const lines = run(script).stdout.split('\n').filter(isClockLine);
    expect(lines).toHaveLength(1);
    expect(parseFacts(run(script).stdout, 0).clock.host).toBeGreaterThan(Date.parse('2020-01-01'));
  });
});

describe('peers', () => {
  test('become questions to the routing table only when they are addresses', () => {
    const text = factsScript({ peers: ['10.0.0.11', 'node.example', '$(reboot)', '10.0.0.12; reboot', 'fd00::1'] });
    expect(text).toContain('f_way 10.0.0.11\nf_way fd00::1\n');
    expect(text).not.toMatch(/reboot|node\.example/);
  });
});
