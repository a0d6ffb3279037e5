import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { imageReference } from '../../src/artifacts/catalogue.ts';
import { LOCAL_ETCDCTL } from '../../src/components/etcd.ts';
import type { ClusterStatus } from '../../src/cli/cluster-status.ts';
import { DEFAULT_KUBERNETES_VERSION } from '../../src/config/schema.ts';
import type { StampedEvent } from '../../src/engine/events.ts';
import { powerOff } from '../../src/lab/index.ts';
import { installClient, MODES, startClients, type Outcome } from '../helpers/api-client.ts';
import { killedAt, watched, whenDone } from '../helpers/apply.ts';
import { difference, FINGERPRINT } from '../helpers/fingerprint.ts';
import { testLab, type Finished, type TestLab } from '../helpers/lab.ts';

interface Event {
  code: string;
  hosts?: string[];
  host?: string;
  stats?: Record<string, { bytesSent: number }>;
}

/** A pod that a budget holds, and one that nobody would start again. */
function pods(node: string): string {
  const spec = `{ nodeSelector: { kubernetes.io/hostname: ${node} }, terminationGracePeriodSeconds: 0, containers: [{ name: pause, image: '${imageReference('image-agnhost', DEFAULT_KUBERNETES_VERSION)}' }] }`;
  return [
    `{ apiVersion: apps/v1, kind: Deployment, metadata: { name: held }, spec: { selector: { matchLabels: { app: held } }, template: { metadata: { labels: { app: held } }, spec: ${spec} } } }`,
    '{ apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: { name: held }, spec: { minAvailable: 1, selector: { matchExpressions: [{ key: app, operator: In, values: [held] }] } } }',
    `{ apiVersion: v1, kind: Pod, metadata: { name: bare }, spec: ${spec} }`,
  ].join('\n---\n');
}

/** What all control planes at once would be: most requests fail, for a minute and a half. A connection that ends with its server, and a machine that is slow for a moment, are none. */
function expectNoOutage({ requests, failed, gap }: Outcome): void {
  expect(requests).toBeGreaterThan(50);
  expect([failed.slice(0, 20), failed.length < requests / 20]).toEqual([failed.slice(0, 20), true]);
  expect(gap).toBeLessThan(20);
}

describe('a cluster of one control plane and one worker', () => {
  let lab: TestLab;
  let clusterFile: string;
  /** Of the hosts that are not in the cluster yet: their lines of the lab's own cluster file. */
  const lines: Record<string, string> = {};
  let found: string;
  beforeAll(async () => {
    lab = await testLab('join', { hosts: 5, controlPlanes: 3 });
    clusterFile = join(lab.directory, 'cluster.yaml');
    const text = await readFile(clusterFile, 'utf8');
    for (const name of ['cp-2', 'cp-3', 'w-2']) lines[name] = new RegExp(`^ +- \\{ name: ${name},.*\\n`, 'm').exec(text)![0];
    await writeFile(
      clusterFile,
      Object.values(lines).reduce((rest, line) => rest.replace(line, ''), `# Mine.\n${text}`),
    );
    found = await lab.on('w-2', FINGERPRINT);
    await lab.ok('apply', '--yes');
  });
  afterAll(() => lab.down());

  const members = async (): Promise<string[]> => {
    const listed = await lab.on('cp-1', `${LOCAL_ETCDCTL} member list`);
    return listed
      .split('\n')
      .map((line) => line.split(', '))
      .map(([, status, name, , , learner]) => `${name} ${status}${learner === 'true' ? ' learner' : ''}`)
      .sort();
  };
  const nodes = async (): Promise<string[]> =>
    (await lab.kubectl('get nodes -o jsonpath=\'{range .items[*]}{.metadata.name}{"\\n"}{end}\'')).split('\n').sort();
  const servers = (host: string): Promise<string> =>
    lab.on(host, "sed -n 's/^ *server \\([^ ]*\\) .*/\\1/p' /etc/slipway/api-endpoint/haproxy.cfg | sort | xargs");
  /** Whom a run talked to. */
  const touched = async (work: Promise<Finished>): Promise<string[]> => {
    const { exitCode, stdout, stderr } = await work;
    if (exitCode !== 0) throw new Error(stderr);
    const events = stdout.split('\n').flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as Event] : []));
    return Object.keys(events.find(({ code }) => code === 'run.finished')!.stats!).sort();
  };
  const addressOf = (name: string): string => /address: ([\d.]+)/.exec(lines[name]!)![1]!;

  test('is refused a worker that its control plane does not hear, before anything is done to either', async () => {
    const rule = `INPUT -p udp --dport 8472 -s ${addressOf('w-2')} -j DROP`;
    await lab.on('cp-1', `iptables -w -I ${rule}`);
    const before = await readFile(clusterFile, 'utf8');
    const { exitCode, stderr } = await lab.slipway('join', 'w-2', '--address', addressOf('w-2'), '--yes');
    await lab.on('cp-1', `iptables -w -D ${rule}`);
    // The port is the kernel's there: what comes in is seen nevertheless.
    expect([exitCode, stderr]).toEqual([
      5,
      expect.stringContaining('w-2 does not reach cp-1 on udp port 8472 (flanneld): nothing arrives [PREFLIGHT_REACHABILITY]'),
    ]);
    expect(await readFile(clusterFile, 'utf8')).toBe(before);
    expect(difference(found, await lab.on('w-2', FINGERPRINT))).toEqual([]);
  });

  test('gets a worker that is not in its file, through one control plane, while another worker is dead, by the command that was killed before', async () => {
    // DNS outlives the worker.
    await lab.kubectl('cordon w-1');
    await lab.kubectl('-n kube-system rollout restart deployment coredns');
    await lab.kubectl('-n kube-system rollout status deployment coredns --timeout=60s');
    await powerOff({ name: lab.name, host: 'w-1' });
    const join = ['join', 'w-2', '--address', addressOf('w-2'), '--yes'];
    for (const step of ['w-2/prepare-host/state', 'w-2/containerd/unit']) {
      expect([step, await killedAt(lab, join, whenDone(step))]).toEqual([step, 'SIGKILL']);
    }
    const run = lab.slipway(...join, '--events', '-');
    expect(await touched(run)).toEqual(['cp-1', 'w-2']);
    expect(await nodes()).toEqual(['cp-1', 'w-1', 'w-2']);
    const text = await readFile(clusterFile, 'utf8');
    expect(text).toContain('# Mine.\n');
    expect(text).toContain(`- { name: w-2, address: ${addressOf('w-2')} }`);
    expect((await lab.ok('join', 'w-2', '--yes')).stderr).toContain('Nothing to change');
  });

  test('goes on without the dead one where that is wished, and remembers what it is owed', async () => {
    expect((await lab.slipway('apply', '--yes')).exitCode).toBe(4);
    const { stderr } = await lab.ok('apply', '--yes', '--skip-unreachable');
    expect(stderr).toContain('w-1 cannot be reached and is left out');
    expect(stderr).toContain('Nothing to change');
    const { stdout } = await lab.ok('status', '-o', 'json');
    const { hosts } = JSON.parse(stdout) as ClusterStatus;
    expect(hosts.map(({ name, owed }) => [name, owed?.verb])).toEqual([
      ['cp-1', undefined],
      ['w-1', 'slipway apply'],
      ['w-2', undefined],
    ]);
  });

  test('loses the dead one for ever, without a hand on it', async () => {
    const { exitCode, stderr } = await lab.slipway('remove', 'w-1', '--yes');
    expect([exitCode, stderr]).toEqual([4, expect.stringContaining('when it is gone for ever: slipway remove w-1 --dead')]);
    expect(await touched(lab.slipway('remove', 'w-1', '--dead', '--yes', '--events', '-'))).toEqual(['cp-1']);
    expect(await nodes()).toEqual(['cp-1', 'w-2']);
    expect(await readFile(clusterFile, 'utf8')).not.toContain('w-1');
  });

  test('is refused to lose its only control plane', async () => {
    const { exitCode, stderr } = await lab.slipway('remove', 'cp-1', '--yes');
    expect([exitCode, stderr]).toEqual([5, expect.stringContaining('it would leave no control plane [REMOVE_UNSAFE]')]);
  });

  test('gets two more control planes, whose members of etcd are promoted one after the other', async () => {
    await writeFile(clusterFile, (await readFile(clusterFile, 'utf8')).replace(/^ +hosts:\n/m, `$&${lines['cp-2']}${lines['cp-3']}`));
    await lab.ok('join', 'cp-2', 'cp-3', '--yes');
    expect(await members()).toEqual(['cp-1 started', 'cp-2 started', 'cp-3 started']);
    expect(await nodes()).toEqual(['cp-1', 'cp-2', 'cp-3', 'w-2']);
    for (const host of ['cp-1', 'cp-3', 'w-2']) expect(await servers(host)).toBe('cp-1 cp-2 cp-3');
    expect((await lab.ok('apply', '--yes')).stderr).toContain('Nothing to change');
    await lab.ok('verify');
  });

  test('gets another setting on one control plane after the other, and a client of the nodes’ endpoint hardly notices', async () => {
    const planes = ['cp-1', 'cp-2', 'cp-3'];
    // Every node has the endpoint; w-2 is to be given back as it was found.
    await installClient(lab, 'cp-1');
    const before = await readFile(clusterFile, 'utf8');
    const settings =
      '  components: { etcd: { args: { snapshot-count: "20000" } }, kube-apiserver: { args: { event-ttl: 2h } }, kubelet: { args: { v: "3" } } }\n';
    await writeFile(clusterFile, before.replace(/^spec:\n/m, `$&${settings}`));
    const clients = await startClients(lab, 'cp-1');
    await lab.ok('apply', '--yes');
    for (const [i, { requests, failed, gap }] of (await clients.end()).entries()) {
      process.stderr.write(
        `settings, ${MODES[i]} connections: ${failed.length} of ${requests} requests failed, longest gap ${gap.toFixed(1)} s\n`,
      );
      expectNoOutage({ requests, failed, gap });
    }
    // On a host the API server ends before its member of etcd and comes back after it, once; and both are up before the next host's go down.
    const at = (host: string, unit: string, moment: string): Promise<string> =>
      lab.on(host, `date +%s%N -d "$(systemctl show -p ${moment}Timestamp --value --timestamp=us ${unit})"`);
    const times = await Promise.all(
      planes.map(async (host) => [
        await at(host, 'kube-apiserver', 'InactiveEnter'),
        await at(host, 'etcd', 'InactiveEnter'),
        await at(host, 'etcd', 'ActiveEnter'),
        await at(host, 'kube-apiserver', 'ActiveEnter'),
      ]),
    );
    const moments = times.toSorted(([a], [b]) => Number(BigInt(a!) - BigInt(b!))).flat();
    // Then the nodes have their turns.
    for (const host of [...planes, 'w-2'])
      expect(BigInt(await at(host, 'kubelet', 'ActiveEnter'))).toBeGreaterThan(BigInt(moments.at(-1)!));
    for (const host of planes)
      expect(await lab.on(host, "tr '\\0' ' ' </proc/$(systemctl show -p MainPID --value etcd)/cmdline")).toContain(
        '--snapshot-count=20000',
      );
  });

  test('is as it was where a setting does not serve: the first host is put back by itself, also when nobody is there any more', async () => {
    const planes = ['cp-1', 'cp-2', 'cp-3'];
    const before = await readFile(clusterFile, 'utf8');
    const bad = {
      'kube-apiserver': 'feature-gates: NoSuchGate=true',
      kubelet: 'feature-gates: NoSuchGate=true',
      etcd: 'election-timeout: "7"',
    };
    const settings = async (component: keyof typeof bad): Promise<void> =>
      writeFile(clusterFile, before.replace(`${component}: { args: { `, `$&${bad[component]}, `));
    const files = 'sha256sum /etc/systemd/system/kube-*.service /usr/lib/systemd/system/etcd.service';
    const running = 'systemctl show -p MainPID --value etcd kube-apiserver kube-controller-manager kube-scheduler | xargs';
    const state = async (command: string, hosts: readonly string[]): Promise<string[]> =>
      Promise.all(hosts.map((host) => lab.on(host, `${command} || :`)));
    const [wrote, ran] = [await state(files, planes), await state(running, planes)];

    await settings('kube-apiserver');
    const clients = await startClients(lab, 'cp-1');
    const { exitCode, stderr } = await lab.slipway('apply', '--yes');
    expect([exitCode, stderr]).toEqual([
      1,
      expect.stringMatching(
        /cp-\d: could not wait until kube-apiserver serves again; what ran before was put back, and serves again \[STEP_FAILED\]/,
      ),
    ]);
    expect(stderr).toMatch(/\|.*unrecognized feature gate: NoSuchGate/);
    for (const outcome of await clients.end()) expectNoOutage(outcome);
    const first = /(cp-\d): could not/.exec(stderr)![1]!;
    const others = planes.filter((host) => host !== first);
    expect(await state(files, planes)).toEqual(wrote);
    expect(await state(running, others)).toEqual(ran.filter((_, i) => planes[i] !== first));

    await settings('kubelet');
    const kubelets = async (): Promise<string[]> => state('systemctl show -p MainPID --value kubelet', [...others, 'w-2']);
    const served = await kubelets();
    const node = await lab.slipway('apply', '--yes');
    expect([node.exitCode, node.stderr]).toEqual([
      1,
      expect.stringContaining(
        `${first}: could not wait until its units are up; what ran before was put back, and serves again [STEP_FAILED]`,
      ),
    ]);
    expect(node.stderr).toMatch(/\|.*unrecognized feature gate: NoSuchGate/);
    expect(await kubelets()).toEqual(served);

    await settings('etcd');
    const isRestarted = (event: StampedEvent): boolean => event.code === 'step.done' && event.step.id.endsWith('/etcd/unit');
    expect(await killedAt(lab, ['apply', '--yes'], isRestarted)).toBe('SIGKILL');
    await writeFile(clusterFile, before);
    // Nobody is connected; the host does what it was about to its end.
    await Promise.all(planes.map((host) => lab.on(host, 'flock -w 300 /run/slipway/steps true')));
    expect((await lab.ok('apply', '--yes')).stderr).toContain('Nothing to change');
    expect(await state(files, planes)).toEqual(wrote);
    await lab.ok('verify');
  });

  test('is refused a reset of so many of its control planes that etcd would stand still, and told what others would cost it', async () => {
    const both = await lab.slipway('reset', '--limit', 'cp-2,cp-3', '--confirm', lab.name);
    expect([both.exitCode, both.stderr]).toEqual([
      5,
      expect.stringContaining('without cp-2, cp-3 etcd would have 1 of its 3 members, and needs 2 [RESET_UNSAFE]'),
    ]);
    expect(both.stderr).toContain('slipway remove cp-2; slipway remove cp-3');
    // Nobody confirms these.
    const some = await lab.slipway('reset', '--limit', 'cp-3,w-2');
    expect(some.exitCode).toBe(3);
    expect(some.stderr).toMatch(/cp-3: etcd goes on counting it as one of its 3 members .*slipway remove cp-3/);
    expect(some.stderr).toMatch(/w-2: it is a node of the running cluster.*slipway remove w-2/);
    expect(await members()).toEqual(['cp-1 started', 'cp-2 started', 'cp-3 started']);
  });

  test('is told the safe order when too many are to leave at once', async () => {
    const { exitCode, stderr } = await lab.slipway('remove', 'cp-2', 'cp-3', '--yes');
    expect(exitCode).toBe(5);
    expect(stderr).toContain('cp-2, cp-3 are etcd members, and only one may leave at a time [REMOVE_UNSAFE]');
    expect(stderr).toContain('slipway remove cp-2; slipway remove cp-3');
  });

  test('keeps a member without which etcd would stand still', async () => {
    await powerOff({ name: lab.name, host: 'cp-3' });
    const { exitCode, stderr } = await lab.slipway('remove', 'cp-2', '--yes');
    expect([exitCode, stderr]).toEqual([5, expect.stringContaining('without cp-2 etcd would have 1 healthy member of 2, and needs 2')]);
    const reset = await lab.slipway('reset', '--limit', 'cp-2', '--confirm', lab.name);
    expect([reset.exitCode, reset.stderr]).toEqual([
      5,
      expect.stringContaining('without cp-2 etcd would have 1 of its 3 members, and needs 2'),
    ]);
  });

  test('loses a dead control plane, then a live one', async () => {
    await lab.ok('remove', 'cp-3', '--dead', '--yes');
    expect(await members()).toEqual(['cp-1 started', 'cp-2 started']);
    await lab.ok('remove', 'cp-2', '--yes');
    expect(await members()).toEqual(['cp-1 started']);
    expect(await servers('w-2')).toBe('cp-1');
  });

  test('keeps a worker whose pods may not leave, as it is, and names what holds them while it does', async () => {
    await lab.kubectl(`apply -f - <<'END'\n${pods('w-2')}\nEND`);
    await lab.kubectl('rollout status deployment held --timeout=60s');
    await lab.kubectl('wait pod bare --for=condition=Ready --timeout=60s');
    const running = `systemctl is-active kubelet containerd flanneld kube-proxy api-endpoint | xargs; ip -br link show cni0 | cut -d ' ' -f 1; ls -d /var/lib/kubelet/pods; command -v haproxy`;
    const before = await lab.on('w-2', running);
    expect(before).toMatch(/^active active active active active\ncni0\n\/var\/lib\/kubelet\/pods\n/);

    const bare = await lab.slipway('remove', 'w-2', '--yes');
    expect([bare.exitCode, bare.stderr]).toEqual([1, expect.stringContaining('could not cordon and drain w-2 [DRAIN_FAILED]')]);
    expect(bare.stderr).toMatch(/\| default\/bare has no controller.*\n  next: w-2 stays cordoned, .*--force/);
    await lab.kubectl('delete pod bare');

    const told: string[] = [];
    const held = await watched(lab, ['remove', 'w-2', '--timeout', '3', '--yes'], (event) => {
      if (event.code === 'step.progress') told.push(event.text);
    });
    const budget = /^default\/held-\S+ may not be evicted: the disruption budget held wants 1 healthy pods, and there are 1$/;
    expect([held.exitCode, held.stderr]).toEqual([1, expect.stringContaining('[DRAIN_FAILED]')]);
    expect(told).toContainEqual(expect.stringMatching(budget));
    expect(held.stderr.split('\n').map((line) => line.replace(/^ +\| /, ''))).toContainEqual(expect.stringMatching(budget));
    expect(held.stderr).toContain('kubectl uncordon w-2');

    expect(await lab.on('w-2', running)).toBe(before);
    expect(await readFile(clusterFile, 'utf8')).toContain('name: w-2');
    await lab.kubectl('delete pdb held');
  });

  test('loses it by the same command, which goes on from wherever it was killed, and the worker is given back as it was found', async () => {
    for (const step of ['cp-1/remove/drain-w-2', 'w-2/reset/units', 'cp-1/remove/node-w-2', 'w-2/reset/files']) {
      const signal = await killedAt(lab, ['remove', 'w-2', '--yes'], whenDone(step));
      expect([step, signal]).toEqual([step, 'SIGKILL']);
      expect(await readFile(clusterFile, 'utf8')).toContain('name: w-2');
    }
    await lab.ok('remove', 'w-2', '--yes');
    expect(await nodes()).toEqual(['cp-1']);
    expect(await readFile(clusterFile, 'utf8')).not.toContain('w-2');
    expect(difference(found, await lab.on('w-2', FINGERPRINT))).toEqual([]);
  });
});
