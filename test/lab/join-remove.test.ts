import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { LOCAL_ETCDCTL } from '../../src/components/etcd.ts';
import { powerOff } from '../../src/lab/index.ts';
import { difference, FINGERPRINT } from '../helpers/fingerprint.ts';
import { testLab, type Finished, type TestLab } from '../helpers/lab.ts';

interface Event {
  code: string;
  hosts?: string[];
  host?: string;
  stats?: Record<string, { bytesSent: number }>;
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

  test('gets a worker that is not in its file, through one control plane, while another worker is dead', async () => {
    // DNS outlives the worker.
    await lab.kubectl('cordon w-1');
    await lab.kubectl('-n kube-system rollout restart deployment coredns');
    await lab.kubectl('-n kube-system rollout status deployment coredns --timeout=60s');
    await powerOff({ name: lab.name, host: 'w-1' });
    const run = lab.slipway('join', 'w-2', '--address', addressOf('w-2'), '--yes', '--events', '-');
    expect(await touched(run)).toEqual(['cp-1', 'w-2']);
    expect(await nodes()).toEqual(['cp-1', 'w-1', 'w-2']);
    const text = await readFile(clusterFile, 'utf8');
    expect(text).toContain('# Mine.\n');
    expect(text).toContain(`- { name: w-2, address: ${addressOf('w-2')} }`);
    expect((await lab.ok('join', 'w-2', '--yes')).stderr).toContain('Nothing to change');
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
  });

  test('loses a dead control plane, then a live one, then a worker, which is given back as it was found', async () => {
    await lab.ok('remove', 'cp-3', '--dead', '--yes');
    expect(await members()).toEqual(['cp-1 started', 'cp-2 started']);
    await lab.ok('remove', 'cp-2', '--yes');
    expect(await members()).toEqual(['cp-1 started']);
    expect(await servers('w-2')).toBe('cp-1');
    await lab.ok('remove', 'w-2', '--yes');
    expect(await nodes()).toEqual(['cp-1']);
    expect(difference(found, await lab.on('w-2', FINGERPRINT))).toEqual([]);
  });
});
