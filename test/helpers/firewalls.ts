import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { powerOff, powerOn } from '../../src/lab/index.ts';
import { difference, FINGERPRINT } from './fingerprint.ts';
import { testLab, type TestLab } from './lab.ts';

const APT = 'DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 --no-install-recommends install';
/** Each host has a firewall that drops all that nobody asked for, in and through; SSH is what its administrator let in. */
const FIREWALLS: Readonly<Record<string, { set: string; reload: string; rules: string }>> = {
  'cp-1': {
    set: `${APT} ufw >/dev/null && ufw allow 22/tcp >/dev/null && ufw --force enable >/dev/null && systemctl start ufw`,
    reload: 'ufw reload >/dev/null',
    rules: 'ufw show added; cat /etc/ufw/user.rules',
  },
  'w-1': {
    set: `${APT} firewalld >/dev/null && systemctl is-active firewalld`,
    reload: 'firewall-cmd -q --reload; systemctl restart firewalld',
    rules: "firewall-cmd --list-all; { firewall-cmd --get-policies; firewall-cmd --get-zones; } | tr ' ' '\\n'",
  },
  'w-2': {
    set: `${APT} nftables >/dev/null
cat >/etc/nftables.conf <<'NFT'
#!/usr/sbin/nft -f
flush ruleset
table inet mine {
	chain input {
		type filter hook input priority 0; policy drop;
		ct state established,related accept
		iif "lo" accept
		tcp dport 22 accept
		ip protocol icmp accept
	}
	chain forward {
		type filter hook forward priority 0; policy accept;
		ct state established,related accept
		reject
	}
}
NFT
systemctl enable --quiet --now nftables`,
    reload: 'systemctl reload nftables; systemctl restart nftables',
    rules: 'nft list table inet mine; cat /etc/nftables.conf',
  },
};
const hosts = Object.keys(FIREWALLS);

/**
 * ufw sets defaults of interfaces at each boot, and the kernel gives them to an interface that has no address yet: whether a host's own one has it by then
 * is a race between ufw and systemd-networkd.
 */
const FIREWALLED = `{ ${FINGERPRINT}
} | grep -v -E '^net[.]ipv[46][.]conf[.]host0[.]accept_(redirects|source_route) '`;

/** Declares the tests: hosts of a Debian release, each with another firewall, become a cluster and are given back. */
export function firewallTests(name: string, release: string): void {
  let lab: TestLab;
  const rules = async (): Promise<Record<string, string>> =>
    Object.fromEntries(await Promise.all(hosts.map(async (host) => [host, await lab.on(host, FIREWALLS[host]!.rules)])));
  let before: Record<string, string>;
  let found: Record<string, string>;
  beforeAll(async () => {
    lab = await testLab(name, { hosts: 3, flags: ['--release', release] });
    await Promise.all(hosts.map((host) => lab.on(host, FIREWALLS[host]!.set)));
    before = await rules();
    found = await lab.everywhere(FIREWALLED);
  });
  afterAll(() => lab.down());

  test('stay as they are, and let the cluster through', async () => {
    const { stdout } = await lab.ok('plan', '-v');
    expect(stdout).toContain('/etc/firewalld/policies/slipway-nodes.xml');
    await lab.ok('apply', '--yes');
    const added = await rules();
    for (const host of hosts) expect(difference(before[host]!, added[host]!).filter((line) => line.startsWith('-'))).toEqual([]);
    expect(await lab.on('cp-1', 'ufw status')).toContain('Status: active');
  });

  test('let it through after they were reloaded and restarted', async () => {
    for (const host of hosts) await lab.on(host, FIREWALLS[host]!.reload);
    // firewalld flushes everybody's rules, and tells nobody.
    await lab.everywhere("until iptables -w -S FORWARD | grep -q -e '-j SLIPWAY-FORWARD'; do sleep 0.2; done");
    expect((await lab.ok('plan')).stdout).toContain('Nothing to change');
    await lab.ok('verify');
  });

  test('let it through after all hosts lost their power', async () => {
    await Promise.all(hosts.map((host) => powerOff({ name: lab.name, host })));
    await Promise.all(hosts.map((host) => powerOn({ name: lab.name, host })));
    await lab.ok('verify');
  });

  test('have their own rules, and only these, after a reset', async () => {
    await lab.ok('reset', '--confirm', lab.name);
    const after = await rules();
    const left = await lab.everywhere(FIREWALLED);
    const changes = hosts.map((host) => [host, [...difference(before[host]!, after[host]!), ...difference(found[host]!, left[host]!)]]);
    expect(Object.fromEntries(changes)).toEqual({ 'cp-1': [], 'w-1': [], 'w-2': [] });
  });
}
