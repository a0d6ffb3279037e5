import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { LOCAL_ETCDCTL } from '../../src/components/etcd.ts';
import { installClient, MODES, startClients } from '../helpers/api-client.ts';
import { testLab, type TestLab } from '../helpers/lab.ts';

const LATER = ['cp-2', 'cp-3', 'cp-4', 'cp-5'];
const LAST = 'w-4';
let lab: TestLab;
const addresses: Record<string, string> = {};
let installed: number;
beforeAll(async () => {
  lab = await testLab('soak-growing', { hosts: 9, controlPlanes: 5 });
  const clusterFile = join(lab.directory, 'cluster.yaml');
  let text = await readFile(clusterFile, 'utf8');
  for (const name of [...LATER, LAST]) {
    const line = new RegExp(`^ +- \\{ name: ${name},.*\\n`, 'm').exec(text)![0];
    addresses[name] = /address: ([\d.]+)/.exec(line)![1]!;
    text = text.replace(line, '');
  }
  await writeFile(clusterFile, text);
  const start = performance.now();
  await lab.ok('apply', '--yes');
  installed = performance.now() - start;
  await installClient(lab, 'w-1');
});
afterAll(() => lab.down());

/**
 * Seconds without an answer that a client may see at an event, and requests that may fail at it: a member that leaves may have led, and an election takes
 * up to two times etcd's election timeout of one second; a client sends one request in a twentieth of a second and gives up after one.
 */
const GAP = 4;
const FAILED = 8;

/** What a client on a worker is served while something goes on. */
async function served(event: string, work: () => Promise<unknown>): Promise<void> {
  const clients = await startClients(lab, 'w-1');
  await work();
  for (const [i, { requests, failed, gap }] of (await clients.end()).entries()) {
    const seen = `${event}, ${MODES[i]} connections: ${failed.length} of ${requests} requests failed, longest gap ${gap.toFixed(1)} s`;
    process.stderr.write(`${seen}\n`);
    expect([seen, failed.length <= FAILED, gap <= GAP]).toEqual([seen, true, true]);
  }
}

/** Members that vote, as etcd itself lists them. */
async function members(): Promise<string> {
  const listed = await lab.on('cp-1', `${LOCAL_ETCDCTL} member list`);
  return listed
    .split('\n')
    .map((line) => line.split(', '))
    .flatMap(([, status, name, , , learner]) => (status === 'started' && learner === 'false' ? [name] : [`${name} ${status}`]))
    .sort()
    .join(' ');
}

test.each([[['cp-2', 'cp-3']], [['cp-4', 'cp-5']]])('%s join, one after the other as members of etcd', async (names) => {
  for (const name of names)
    await served(`${name} joins`, () => lab.ok('join', name, '--address', addresses[name]!, '--role', 'control-plane', '--yes'));
  expect(await members()).toBe(['cp-1', ...LATER.slice(0, LATER.indexOf(names.at(-1)!) + 1)].join(' '));
  await lab.ok('verify');
});

test('a worker joins the eight others through one control plane', async () => {
  const start = performance.now();
  const { stdout } = await lab.ok('join', LAST, '--address', addresses[LAST]!, '--yes', '--events', '-');
  const joined = performance.now() - start;
  const finished = stdout.split('\n').find((line) => line.includes('"code":"run.finished"'))!;
  expect(Object.keys((JSON.parse(finished) as { stats: object }).stats).sort()).toEqual(['cp-1', LAST]);
  process.stderr.write(
    `join of a worker to eight hosts: ${(joined / 1000).toFixed(1)} s; the installation of four: ${(installed / 1000).toFixed(1)} s\n`,
  );
});

test('is told the safe order when two are to leave at once', async () => {
  const { exitCode, stderr } = await lab.slipway('remove', 'cp-4', 'cp-5', '--yes');
  expect([exitCode, stderr]).toEqual([5, expect.stringContaining('slipway remove cp-4; slipway remove cp-5')]);
});

test.each([...LATER].reverse())('%s leaves', async (name) => {
  await served(`${name} leaves`, () => lab.ok('remove', name, '--yes'));
  expect(await members()).toBe(['cp-1', ...LATER.slice(0, LATER.indexOf(name))].join(' '));
});

test('what is left is verified', async () => {
  await lab.ok('verify');
});
