import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { afterSteps, killedAt } from '../helpers/apply.ts';
import { installedLab } from '../helpers/installed-lab.ts';
import type { TestLab } from '../helpers/lab.ts';

const UNITS = 'containerd kubelet kube-proxy flanneld api-endpoint slipway-forwarding';
const started = `systemctl show -p Id -p ActiveEnterTimestampMonotonic -p MainPID ${UNITS.split(' ')
  .map((unit) => `${unit}.service`)
  .join(' ')} | paste -sd' '`;
const written = `find /etc /opt/slipway /var/lib/slipway -printf '%p %C@\\n' | grep -v -e '^/etc/cni/net.d ' | sort | sha256sum`;

/** Everything that hands do to a worker, each with what the report must name. */
const HANDS: readonly [command: string, line: RegExp][] = [
  ['echo "# mine" >>/etc/systemd/system/flanneld.service', /write \S*flanneld.service +content differs/],
  ['rm /etc/kubernetes/pki/kubelet-server.crt', /write \S*kubelet-server.crt +missing/],
  ['systemctl stop kube-proxy', /start kube-proxy.service +is inactive/],
  ['systemctl disable --quiet containerd', /start containerd.service +not enabled/],
  ['sysctl -qw net.ipv4.ip_forward=0', /set kernel parameters +net.ipv4.ip_forward is 0, should be 1/],
  ['chmod 0644 /etc/kubernetes/kubelet.conf', /write \S*kubelet.conf +mode 0644, should be 0600/],
  ['chown daemon: /etc/kubernetes/proxy.conf', /write \S*proxy.conf +owner daemon:daemon, should be root:root/],
  ['f=$(readlink -f /opt/slipway/bin/kube-proxy) && cp -p /bin/true $f.new && mv $f.new $f', /deliver kube-proxy \S+ +missing or changed/],
];

/** A unit of /usr/lib is masked by systemctl; one of /etc by a link in its place. */
const MASK =
  '[ "$p" != /etc/kubernetes ] || { rmdir /etc/systemd/system/kube-proxy.service; ln -s /dev/null /etc/systemd/system/kube-proxy.service; [ ! -d /etc/etcd ] || ln -s /dev/null /etc/systemd/system/etcd.service; systemctl daemon-reload; }';

interface Hands {
  file: string;
  /** So many steps after its beginning a first `repair` is killed. */
  killedAfter?: number;
  link?: string;
  directory?: string;
}

/** Done to everything at once that an installation has put there; what a daemon keeps in a directory is not ours to destroy. */
const ROUNDS: readonly [name: string, hands: Hands][] = [
  ['deleted', { file: 'rm $p', link: 'rm $p', directory: 'chmod 0777 $p' }],
  [
    'other bytes',
    {
      file: 'if [ $((n % 2)) = 0 ]; then : >$p; else echo "# mine" >>$p; fi',
      link: 'rm $p && : >$p',
      directory: 'chown daemon: $p',
      killedAfter: 20,
    },
  ],
  ['another mode and owner', { file: 'chmod 0666 $p; chown daemon: $p', link: 'ln -sfn /nowhere $p' }],
  ['a link in its place', { file: 'mv $p /root/aside/$n; ln -s /root/aside/$n $p' }],
  ['a directory in its place, and masked units', { file: 'rm $p; mkdir $p', link: 'rm $p; mkdir $p', directory: MASK }],
];

/** Shell text that does it, and prints how many hands that took. */
function handsOn({ file, link = ':', directory = ':' }: Hands): string {
  return `ours() { sed -nE "s#^[0-9a-f]+ [^/]+/[^/]+/$1(/.*)#\\1#p" /root/wanted | sort -u; }
cp /var/lib/slipway/wanted /root/wanted; rm -rf /root/aside; mkdir /root/aside; n=0
for p in $(ours file); do [ -f $p ] || continue; n=$((n + 1)); ${file}; done
for p in $(ours link); do [ -L $p ] || p=/opt/slipway/bin$p; [ -L $p ] || continue; n=$((n + 1)); ${link}; done
for p in $(ours directory); do [ -d $p ] || continue; n=$((n + 1)); ${directory}; done
echo "$n hands"`;
}

describe('drift', () => {
  let lab: TestLab;
  beforeAll(async () => {
    lab = await installedLab('trio');
  });
  afterAll(() => lab.down());

  test('is not there after an installation', async () => {
    const { stdout } = await lab.ok('status', '--drift');
    expect(stdout).toContain('No drift');
    const { stderr } = await lab.ok('repair', '--yes');
    expect(stderr).toContain('Nothing to mend');
  });

  test('is shown line by line, and mended alone', async () => {
    await lab.on('w-1', HANDS.map(([command]) => command).join('\n'));
    const before = {
      own: await lab.on('w-1', started),
      'cp-1': await lab.on('cp-1', `${started}; ${written}`),
      'w-2': await lab.on('w-2', `${started}; ${written}`),
    };

    const status = await lab.slipway('status', '--drift');
    expect(status.exitCode).toBe(2);
    for (const [, line] of HANDS) expect(status.stdout).toMatch(line);
    expect(status.stdout).not.toMatch(/^(cp-1|w-2) .* (content differs|missing|is inactive)/m);

    await lab.ok('repair', '--yes');
    expect((await lab.ok('status', '--drift')).stdout).toContain('No drift');
    expect(await lab.on('cp-1', `${started}; ${written}`)).toBe(before['cp-1']);
    expect(await lab.on('w-2', `${started}; ${written}`)).toBe(before['w-2']);
    const processes = (text: string) =>
      Object.fromEntries([...text.matchAll(/MainPID=(\d+) Id=(\S+?)\.service/g)].map(([, pid, unit]) => [unit, pid]));
    const [was, is] = [processes(before.own), processes(await lab.on('w-1', started))];
    expect(Object.keys(was).filter((unit) => was[unit] !== is[unit])).toEqual(['kube-proxy']);
    await lab.ok('verify');
  });

  test.each(ROUNDS)('of every file, link and directory of a control plane and a worker is mended: %s', async (_, hands) => {
    for (const host of ['cp-1', 'w-1']) expect(await lab.on(host, handsOn(hands))).toMatch(/^[1-9]\d+ hands$/);
    expect((await lab.slipway('status', '--drift')).exitCode).toBe(2);
    if (hands.killedAfter !== undefined) expect(await killedAt(lab, ['repair', '--yes'], afterSteps(hands.killedAfter))).toBe('SIGKILL');
    await lab.ok('repair', '--yes');
    expect((await lab.ok('status', '--drift')).stdout).toMatch(/No drift: the hosts are as they were left\.$/);
    expect((await lab.ok('apply', '--yes')).stderr).toContain('Nothing to change');
  });

  test('of a file that nobody may replace is named with its path, and mended when somebody may', async () => {
    await lab.on('w-1', 'chmod 0644 /etc/kubernetes/pki/flannel.key && chattr +i /etc/kubernetes/pki/flannel.key');
    const { exitCode, stderr } = await lab.slipway('repair', '--yes');
    expect([exitCode, stderr]).toEqual([
      1,
      expect.stringMatching(/could not write \S+flannel.key: .*\[PATH_PROTECTED\][^]*lsattr -d \/etc\/kubernetes\/pki\/flannel.key/),
    ]);
    expect(await lab.on('w-1', 'chattr -i /etc/kubernetes/pki/flannel.key; ls /etc/kubernetes/pki | grep slipway-new || :')).toBe('');
    await lab.ok('repair', '--yes');
    await lab.ok('verify');
  });

  test('a node that was deleted from the API is registered again, and its pods talk', async () => {
    await lab.kubectl('delete node w-1');
    const status = await lab.slipway('status', '--drift');
    expect([status.exitCode, status.stdout]).toEqual([2, expect.stringContaining('register the node w-1 again')]);
    await lab.ok('repair', '--yes');
    await lab.ok('verify');
    expect((await lab.ok('status', '--drift')).stdout).toContain('No drift');
  });

  test('a worker that was installed anew is refused until its new key is known, and then made what it was', async () => {
    await lab.ok('reset', '--limit', 'w-1', '--confirm', lab.name);
    const anew = await lab.on(
      'w-1',
      "rm /etc/ssh/ssh_host_* && ssh-keygen -A >/dev/null && systemctl restart ssh; hostname -I; cut -d' ' -f1,2 /etc/ssh/ssh_host_ed25519_key.pub",
    );
    const refused = await lab.slipway('repair', '--yes');
    expect([refused.exitCode, refused.stderr]).toEqual([4, expect.stringMatching(/host key of w-1 .* has changed/)]);

    const [address, key] = anew.split(/ .*\n|\n/) as [string, string];
    const known = join(lab.directory, 'known_hosts');
    await execa('ssh-keygen', ['-R', address, '-f', known]);
    await appendFile(known, `${address} ${key}\n`);

    const status = await lab.slipway('status', '--drift');
    expect([status.exitCode, status.stdout]).toEqual([2, expect.stringMatching(/w-1 +start kubelet.service +new/)]);
    await lab.ok('repair', '--yes');
    await lab.ok('verify');
    expect((await lab.ok('status', '--drift')).stdout).toContain('No drift');
  });
});
