import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { packageRoot } from '../../src/base/package-root.ts';
import type { Answer } from '../../src/checks/verify/index.ts';
import type { VerifyReport } from '../../src/cli/verify-report.ts';
import { testLab, type TestLab } from '../helpers/lab.ts';

let lab: TestLab;

beforeAll(async () => {
  lab = await testLab('verify');
  await lab.ok('apply', '--yes');
}, 600_000);

afterAll(async () => {
  await lab.down();
});

async function verify(): Promise<{ exitCode: number; report: VerifyReport; failed: Record<string, Answer> }> {
  const { exitCode, stdout, stderr } = await lab.slipway('verify', '-o', 'json');
  if (!stdout.startsWith('{')) throw new Error(`verify printed no report: ${stderr}`);
  const report = JSON.parse(stdout) as VerifyReport;
  return {
    exitCode,
    report,
    failed: Object.fromEntries(report.checks.filter(({ ok }) => ok === 'fail').map((check) => [check.id, check])),
  };
}

/** Waits until namespaces that are being deleted are gone; then whatever else of a verification is there stays. */
async function leftBehind(): Promise<string> {
  await lab.kubectl('wait --for=delete namespaces -l slipway.dev/verify --timeout=60s || :');
  const objects = await lab.kubectl('get namespaces,pods -A -o name');
  const files = await lab.everywhere('find /run/slipway -name "verify.??????"');
  return [...objects.split('\n').filter((name) => /slipway-verify|echo-/.test(name)), ...Object.values(files)]
    .filter((line) => line !== '')
    .join('\n');
}

interface Breakage {
  name: string;
  host: string;
  breaks: string;
  mends: string;
  /** The checks that fail, each with what its message must say. */
  named: Readonly<Record<string, RegExp>>;
  evidence?: RegExp;
}

const breakages: readonly Breakage[] = [
  {
    name: 'a kubelet that was stopped',
    host: 'w-1',
    breaks: 'systemctl stop kubelet',
    mends: 'systemctl start kubelet',
    named: { units: /^w-1: kubelet\.service is inactive$/, kubelet: /^w-1: /, pods: /^w-1: / },
    evidence: /Stopped kubelet\.service/,
  },
  {
    name: 'a flanneld that was stopped',
    host: 'w-1',
    breaks: 'systemctl stop flanneld',
    mends: 'systemctl start flanneld',
    named: { units: /^w-1: flanneld\.service is inactive$/ },
  },
  {
    name: 'a forwarding chain that was flushed on a host that drops',
    host: 'w-1',
    breaks: 'iptables -w -F SLIPWAY-FORWARD; iptables -w -P FORWARD DROP',
    mends: 'systemctl restart slipway-forwarding; iptables -w -P FORWARD ACCEPT',
    named: {
      forwarding: /^w-1: the chain SLIPWAY-FORWARD does not accept traffic from pods and to pods, and the policy of FORWARD is DROP/,
      'pod-network': /^w-1: pods here and pods on other nodes do not reach each other$/,
    },
  },
  {
    name: 'a network that loses large packets',
    host: 'w-1',
    breaks: 'iptables -w -I INPUT -p udp --dport 8472 -m length --length 1300:65535 -j DROP',
    mends: 'iptables -w -D INPUT -p udp --dport 8472 -m length --length 1300:65535 -j DROP',
    named: { 'packet-size': /small packets reach the pod on w-1, large ones do not/ },
  },
  {
    name: 'a scheduler that was stopped',
    host: 'cp-1',
    breaks: 'systemctl stop kube-scheduler',
    mends: 'systemctl start kube-scheduler',
    named: {
      units: /^cp-1: kube-scheduler\.service is inactive$/,
      scheduler: /cp-1: .*no kube-scheduler leads/,
      scheduling: /nobody chooses a node/,
    },
  },
  {
    name: 'a daemon that ends again and again, with its own words',
    host: 'w-2',
    breaks: 'sed -i "s/^mode:.*/mode: nonsense/" /etc/kubernetes/kube-proxy/config.yaml; systemctl restart kube-proxy',
    mends: 'sed -i "s/^mode:.*/mode: iptables/" /etc/kubernetes/kube-proxy/config.yaml; systemctl restart kube-proxy',
    named: { units: /^w-2: kube-proxy\.service (?:ends again and again|does not get ready)/, 'kube-proxy': /^w-2: /, services: /^w-2: / },
    evidence: /command failed.*nonsense/,
  },
  {
    name: 'a CoreDNS that was deleted',
    host: 'cp-1',
    breaks: '/opt/slipway/bin/kubectl --kubeconfig=/etc/kubernetes/super-admin.conf -n kube-system delete deployment coredns',
    mends: 'true',
    named: { coredns: /^the Deployment coredns is missing in kube-system$/, dns: /^cp-1, w-1 and w-2: / },
  },
];

describe('verify', () => {
  test('passes on a new cluster, and writes what it found as JSON and as JUnit XML', async () => {
    const { stdout } = await lab.ok('verify', '--report', 'verify.xml');
    expect(stdout).toMatch(/^t-verify-\w+: \d+ passed \(/m);
    const xml = await readFile(join(lab.directory, 'verify.xml'), 'utf8');
    expect(xml).toMatch(/<testsuites name="slipway verify" tests="\d+" failures="0"/);
    const { exitCode, report } = await verify();
    expect(exitCode).toBe(0);
    expect(report.checks.filter(({ ok }) => ok !== 'pass')).toEqual([]);
    expect(report.checks.find(({ id }) => id === 'pod-network')).toMatchObject({
      data: { pairs: expect.arrayContaining([{ from: 'w-1', to: 'w-2', ok: true }]) },
    });
  }, 300_000);

  test.each(breakages)(
    'names $name',
    async ({ host, breaks, mends, named, evidence }) => {
      await lab.on(host, breaks);
      const { exitCode, failed } = await verify().finally(() => lab.on(host, mends));
      expect(exitCode).toBe(1);
      for (const [id, message] of Object.entries(named)) expect(failed[id]?.message ?? `${id} does not fail`).toMatch(message);
      if (evidence) expect(failed['units']?.evidence).toMatch(evidence);
    },
    300_000,
  );

  test('finds everything well again after apply', async () => {
    await lab.ok('apply', '--yes');
    const { failed } = await verify();
    expect(failed).toEqual({});
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
