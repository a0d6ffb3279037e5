import { appendFile, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { ClusterStatus } from '../../../src/cli/cluster-status.ts';
import { main } from '../../../src/cli/main.ts';
import { fakeIo } from '../../unit/init/io.ts';
import { loopbackCluster, type LoopbackHost } from '../../helpers/loopback-cluster.ts';
import { freePort, startSshd, type Sshd } from '../../helpers/sshd.ts';

let sshd: Sshd;
/** Let somebody else's key in alone; the key of the second is not known either. */
let refusing: Sshd;
let stranger: Sshd;
beforeAll(async () => {
  [sshd, refusing, stranger] = await Promise.all([startSshd([], ['ed25519']), startSshd([], ['ed25519']), startSshd([], ['ed25519'])]);
  await appendFile(sshd.knownHosts, await readFile(refusing.knownHosts));
});
afterAll(async () => {
  await Promise.all([sshd, refusing, stranger].map((server) => server.stop()));
});

/** Runs a command on a cluster file with these hosts, all of them servers of this machine. */
async function slipway(hosts: readonly LoopbackHost[], ...words: string[]): Promise<{ code: number; out: string; err: string }> {
  const directory = await mkdtemp(join(sshd.directory, 'cluster-'));
  const file = join(directory, 'cluster.yaml');
  await writeFile(file, loopbackCluster(sshd, hosts));
  const io = fakeIo({ interactive: false, env: { XDG_STATE_HOME: directory, XDG_CACHE_HOME: directory, PATH: process.env['PATH']! } });
  const [verb, ...rest] = words;
  const code = await main([verb!, '-f', file, ...rest], io);
  return { code, out: io.out(), err: io.err() };
}

const up = (): LoopbackHost => ({ name: 'up', role: 'control-plane', ssh: `port: ${sshd.port}` });
const refused = (): LoopbackHost => ({ name: 'refused', ssh: `port: ${refusing.port}` });
const unknown = (): LoopbackHost => ({ name: 'unknown', ssh: `port: ${stranger.port}` });
const down = async (): Promise<LoopbackHost> => ({ name: 'down', ssh: `port: ${await freePort()}` });

test('status tells of the host that answers, and why each of the others could not be read', async () => {
  const { code, out } = await slipway([up(), refused(), unknown(), await down()], 'status', '-o', 'json');
  expect(code).toBe(0);
  const { hosts } = JSON.parse(out) as ClusterStatus;
  expect(hosts.map(({ name, summary, error }) => [name, summary, error?.code])).toEqual([
    ['up', expect.stringMatching(/^\d+\/\d+ active$/), undefined],
    ['refused', 'not read', 'AUTH_REFUSED'],
    ['unknown', 'not read', 'HOST_KEY_UNKNOWN'],
    ['down', 'not read', 'REMOTE_UNREACHABLE'],
  ]);
});

test('status --drift compares the host that answers, and says of which others nothing is known', async () => {
  const { code, out } = await slipway([up(), refused(), await down()], 'status', '--drift');
  expect(code).toBe(0);
  expect(out).toContain('No drift was found.\nWhether anything was changed on refused, down is not known.');
});

test('where no host answers that is an error, with every reason', async () => {
  const { code, out, err } = await slipway([{ ...(await down()), role: 'control-plane' }, refused(), unknown()], 'status');
  expect([code, out]).toEqual([4, '']);
  for (const reason of ['REMOTE_UNREACHABLE', 'AUTH_REFUSED', 'HOST_KEY_UNKNOWN']) expect(err).toContain(reason);
});

test('plan goes on without hosts that cannot be reached where that is wished, and says so', async () => {
  const gone = await down();
  const { err } = await slipway([up(), gone], 'plan', '--skip-unreachable');
  expect(err).toMatch(/warning: down cannot be reached and is left out: .*ECONNREFUSED/);
  expect(err).not.toContain('REMOTE_UNREACHABLE]');
});

test('what may change hosts needs all of them', async () => {
  const { code, err } = await slipway([up(), refused()], 'plan');
  expect([code, err]).toEqual([4, expect.stringContaining('AUTH_REFUSED')]);
});
