import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { NetworkReport } from '../../src/cli/network-report.ts';
import { testLab, TOUCHED, type TestLab } from '../helpers/lab.ts';

let lab: TestLab;
beforeAll(async () => {
  lab = await testLab('matrix');
  await lab.everywhere('touch /run/mark');
});
afterAll(() => lab.down());

async function expectUntouched(): Promise<void> {
  expect(await lab.everywhere(TOUCHED)).toEqual({ 'cp-1': '', 'w-1': '', 'w-2': '' });
  // Neither a listener nor a process of ours is left.
  expect(await lab.everywhere('pgrep -c perl || :; ss -Hln "sport = :6443 or sport = :8472 or sport = :10250"')).toEqual({
    'cp-1': '0',
    'w-1': '0',
    'w-2': '0',
  });
}

test('hosts that reach each other: a matrix without a flaw, and nothing is left on them', async () => {
  const { stdout } = await lab.ok('verify', '--network');
  const [head, ...rows] = stdout.split('\n').map((line) => line.split(/ {2,}/));
  expect(head).toEqual(['from \\ to', 'cp-1', 'w-1', 'w-2', 'clock']);
  expect(rows.slice(0, 3).map((row) => row.slice(0, 4))).toEqual([
    ['cp-1', '-', 'ok', 'ok'],
    ['w-1', 'ok', '-', 'ok'],
    ['w-2', 'ok', 'ok', '-'],
  ]);
  expect(stdout).toContain('tried: tcp 6443 kube-apiserver, tcp 10250 kubelet, udp 8472 flanneld');
  expect(stdout).toContain('6 of 6 ways between 3 hosts are free');
  await expectUntouched();
});

test('a host whose UDP port 8472 is blocked: named with the pair and the port, exit 5, and nothing is touched', async () => {
  await lab.on('w-1', 'iptables -w -I INPUT -p udp --dport 8472 -j DROP');
  try {
    const wanted = /^error cp-1 and w-2 do not reach w-1 on udp port 8472 \(flanneld\): nothing arrives \[PREFLIGHT_REACHABILITY\]$/m;
    for (const args of [['plan'], ['apply', '--yes']]) {
      const { exitCode, stderr } = await lab.slipway(...args);
      expect(stderr).toMatch(wanted);
      expect(stderr).toContain('one thing stands in the way; nothing was changed');
      expect(exitCode).toBe(5);
    }
    await expectUntouched();

    const { exitCode, stdout } = await lab.slipway('verify', '--network', '-o', 'json');
    expect(exitCode).toBe(1);
    const { pairs, findings } = JSON.parse(stdout) as NetworkReport;
    const blocked = pairs.flatMap(({ from, to, ports }) =>
      ports.filter(({ state }) => state !== 'ok').map(({ protocol, port, state }) => `${from} ${to} ${protocol} ${port} ${state}`),
    );
    expect(blocked).toEqual(['cp-1 w-1 udp 8472 blocked', 'w-2 w-1 udp 8472 blocked']);
    expect(findings.map(({ check, severity }) => `${severity} ${check}`)).toEqual(['error reachability']);

    const skipped = await lab.slipway('plan', '--skip-check', 'reachability');
    expect(skipped.exitCode).toBe(0);
    expect(skipped.stderr).toContain('the check reachability is skipped, as asked for');
  } finally {
    await lab.on('w-1', 'iptables -w -D INPUT -p udp --dport 8472 -j DROP');
  }
});

test('a host that refuses what comes, and one that may not send: each with its reason', async () => {
  await lab.on('cp-1', 'iptables -w -I INPUT -p tcp --dport 6443 -j REJECT --reject-with icmp-host-prohibited');
  await lab.on('w-2', 'iptables -w -I OUTPUT -p udp --dport 8472 -j REJECT');
  try {
    const { exitCode, stderr } = await lab.slipway('apply', '--yes');
    expect(exitCode).toBe(5);
    expect(stderr).toMatch(/^error w-1 and w-2 do not reach cp-1 on tcp port 6443 \(kube-apiserver\): no route to host /m);
    expect(stderr).toMatch(
      /^error w-2 does not reach cp-1 and w-1 on udp port 8472 \(flanneld\): its own firewall forbids it \(OUTPUT\) /m,
    );
  } finally {
    await lab.on('cp-1', 'iptables -w -D INPUT -p tcp --dport 6443 -j REJECT --reject-with icmp-host-prohibited');
    await lab.on('w-2', 'iptables -w -D OUTPUT -p udp --dport 8472 -j REJECT');
  }
});

test('a host with another MTU: a warning with the pair and the sizes', async () => {
  const device = await lab.on('w-2', `ip route | sed -n 's/^default.* dev \\([^ ]*\\).*/\\1/p'`);
  await lab.on('w-2', `ip link set mtu 1400 dev ${device}`);
  try {
    const { stderr } = await lab.ok('plan');
    expect(stderr).toContain(
      'warning: packets of 1500 bytes do not pass from cp-1 and w-1 to w-2, 1400 do; the MTU of their interfaces is 1500 on cp-1 and w-1 and 1400 on w-2',
    );
    expect(stderr).toContain('set network.flannel.mtu to 1350');
    const { stdout } = await lab.ok('verify', '--network');
    expect(stdout).toMatch(/^cp-1 +- +ok +mtu 1400 /m);
  } finally {
    await lab.on('w-2', `ip link set mtu 1500 dev ${device}`);
  }
});
