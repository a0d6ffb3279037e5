import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { packageRoot } from '../../src/base/package-root.ts';
import { sh } from '../../src/base/quote.ts';
import type { ClusterStatus } from '../../src/cli/cluster-status.ts';
import { cutOff, reconnect } from '../../src/lab/index.ts';
import { breakages, named, verify } from '../helpers/breakages.ts';
import { installedLab } from '../helpers/installed-lab.ts';
import type { TestLab } from '../helpers/lab.ts';

let lab: TestLab;
/** The others have their turn in the soak tests. */
const always = [
  'a forwarding chain that was flushed on a host that drops',
  'a daemon that ends again and again, with its own words',
  'an API server that lets nothing privileged run',
  'a CoreDNS that was deleted',
];

beforeAll(async () => {
  lab = await installedLab('trio');
}, 600_000);

afterAll(async () => {
  await lab.down();
});

/** Waits until namespaces that are being deleted are gone; then whatever else of a verification is there stays. */
async function leftBehind(): Promise<string> {
  await lab.kubectl('wait --for=delete namespaces -l slipway.dev/verify --timeout=60s || :');
  const objects = await lab.kubectl('get namespaces,pods -A -o name');
  const files = await lab.everywhere('find /run/slipway -name "verify.??????"');
  return [...objects.split('\n').filter((name) => /slipway-verify|echo-/.test(name)), ...Object.values(files)]
    .filter((line) => line !== '')
    .join('\n');
}

/** As whoever is root there can, past the tools that know what a hostname is: sethostname(2). */
async function rename(hostname: string): Promise<void> {
  const perl = 'my $name = shift; syscall(`uname -m` =~ /aarch64/ ? 161 : 170, $name, length $name) == 0 or die $!';
  await lab.on('w-1', sh`perl -e ${perl} ${hostname}`);
}

describe('verify', () => {
  test('passes on a new cluster, and writes what it found as JSON and as JUnit XML', async () => {
    const { stdout } = await lab.ok('verify', '--report', 'verify.xml');
    expect(stdout).toMatch(/^t-trio-\w+: \d+ passed \(/m);
    const xml = await readFile(join(lab.directory, 'verify.xml'), 'utf8');
    expect(xml).toMatch(/<testsuites name="slipway verify" tests="\d+" failures="0"/);
    const { exitCode, report } = await verify(lab, '--deep');
    expect(exitCode).toBe(0);
    expect(report.checks.filter(({ ok }) => ok !== 'pass')).toEqual([]);
    expect(report.checks.find(({ id }) => id === 'pod-network')).toMatchObject({
      data: { pairs: expect.arrayContaining([{ from: 'w-1', to: 'w-2', ok: true }]) },
    });
  }, 300_000);

  test('names the one host that does not answer, and tells everything of the others', async () => {
    const ref = { name: lab.name, host: 'w-1' };
    await cutOff(ref);
    try {
      const { stdout } = await lab.ok('status', '-o', 'json');
      const { hosts } = JSON.parse(stdout) as ClusterStatus;
      expect(hosts).toEqual([
        expect.objectContaining({ name: 'cp-1', node: 'Ready', summary: '10/10 active' }),
        expect.objectContaining({
          name: 'w-1',
          version: hosts[0]!.version,
          error: expect.objectContaining({ code: 'REMOTE_UNREACHABLE' }),
        }),
        expect.objectContaining({ name: 'w-2', node: 'Ready', summary: '6/6 active' }),
      ]);
      const drift = await lab.ok('status', '--drift');
      expect(drift.stdout).toMatch(/^w-1 could not be read: .*\[REMOTE_UNREACHABLE\]$/m);
      expect(drift.stdout).toContain('No drift was found.\nWhether anything was changed on w-1 is not known.');

      const { exitCode, report, failed } = await verify(lab);
      expect([exitCode, report.ok, failed['hosts']?.message]).toEqual([1, false, expect.stringMatching(/^w-1: /)]);
      const answers = Object.fromEntries(report.checks.map((check) => [check.id, check]));
      expect(answers['kubelet']).toMatchObject({ ok: 'pass', message: '2 kubelets; not looked at: w-1', unseen: ['w-1'] });
      expect(answers['pod-network']).toMatchObject({ ok: 'pass', unseen: ['w-1'] });
      expect(answers['scheduling']).toMatchObject({ ok: 'pass' });
    } finally {
      await reconnect(ref);
    }
    await lab.kubectl('wait --for=condition=Ready node/w-1 --timeout=120s');
  }, 300_000);

  test.each(always.map((name) => breakages.find((breakage) => breakage.name === name)!))(
    'names $name',
    (breakage) => named(lab, breakage),
    300_000,
  );

  test('finds everything well again after apply', async () => {
    await lab.ok('apply', '--yes');
    const { failed } = await verify(lab);
    expect(failed).toEqual({});
  }, 300_000);

  test('names a host whose hostname is a command, as does status; every other verb refuses it; none runs it', async () => {
    const file = await readFile(join(lab.directory, 'cluster.yaml'), 'utf8');
    const nameless = file.replace(/\{ name: w-1,\s*/, '{ ');
    expect(nameless).not.toBe(file);
    await writeFile(join(lab.directory, 'nameless.yaml'), nameless);
    const address = /w-1,\s+address: ([\d.]+)/.exec(file)![1]!;
    await rename('w-1;touch /pwned;');
    try {
      const verbs: [exitCode: number, ...verb: string[]][] = [
        [1, 'verify'],
        [0, 'status'],
        [5, 'plan'],
        [5, 'plan', '--skip-check', 'hostname'],
        [5, 'apply', '--yes'],
        [5, 'remove', address, '--yes'],
      ];
      for (const [code, ...verb] of verbs) {
        const { exitCode, stdout, stderr } = await lab.slipway(...verb, '-f', 'nameless.yaml');
        expect([verb, exitCode, stdout + stderr]).toEqual([verb, code, expect.stringContaining('its hostname "w-1;touch /pwned;" cannot')]);
        expect(stdout + stderr).toContain(address);
      }
    } finally {
      await rename('w-1');
    }
    expect(await lab.everywhere('ls -d /pwned 2>/dev/null || :')).toEqual({ 'cp-1': '', 'w-1': '', 'w-2': '' });
    await lab.ok('verify', '-f', 'nameless.yaml');
  }, 300_000);

  test('knows who may come in, whatever network a worker says that it lives in', async () => {
    const liar = '/usr/local/sbin/ip';
    await lab.on(
      'w-1',
      `printf '#!/bin/sh\\n/usr/sbin/ip "$@" | sed "s#/24 #/1 #"\\n' >${liar}; chmod 0755 ${liar}; ip -4 -o addr show | grep -q ' inet 1.*/1 '`,
    );
    try {
      expect((await lab.ok('plan')).stdout).toContain('Nothing to change');
    } finally {
      await lab.on('w-1', `rm ${liar}`);
    }
  }, 300_000);

  test('leaves nothing behind, in the cluster and on the hosts', async () => {
    expect(await leftBehind()).toBe('');
  }, 300_000);

  test.each([
    ['interrupted', 'SIGINT'],
    ['killed', 'SIGKILL'],
  ] as const)(
    'leaves nothing behind when it is %s',
    async (_, signal) => {
      const running = execa(process.execPath, [join(packageRoot(), 'bin/slipway.js'), 'verify'], {
        cwd: lab.directory,
        reject: false,
        stdin: 'ignore',
      });
      const kubectl = '/opt/slipway/bin/kubectl --kubeconfig=/etc/kubernetes/super-admin.conf';
      await lab.on('cp-1', `until ${kubectl} get namespaces -l slipway.dev/verify -o name | grep -q .; do sleep 0.2; done`);
      running.kill(signal);
      const { exitCode } = await running;
      if (signal === 'SIGINT') expect(exitCode).toBe(130);
      await lab.on('cp-1', `until [ -z "$(find /run/slipway -name 'verify.??????')" ]; do sleep 0.2; done`);
      expect(await leftBehind()).toBe('');
    },
    300_000,
  );

  test('leaves no container behind: the kubelets collect them', async () => {
    await lab.everywhere('timeout 150 sh -c "while /opt/slipway/bin/ctr -n k8s.io containers ls | grep agnhost; do sleep 1; done"');
  }, 300_000);
});
