import { mkdtemp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { preflightChecks } from '../../../src/checks/preflight/index.ts';
import { main } from '../../../src/cli/main.ts';
import { planSchema, type PlanDocument } from '../../../src/cli/plan-document.ts';
import { fakeIo } from '../../unit/init/io.ts';
import { loopbackCluster } from '../../helpers/loopback-cluster.ts';
import { freePort, startSshd, type Sshd } from '../../helpers/sshd.ts';

let sshd: Sshd;
let file: string;
beforeAll(async () => {
  sshd = await startSshd([], ['ed25519']);
  file = join(sshd.directory, 'cluster.yaml');
  await writeFile(
    file,
    loopbackCluster(sshd, [
      { name: 'down-cp', role: 'control-plane', ssh: `port: ${await freePort()}` },
      { name: 'up-w', ssh: `port: ${sshd.port}` },
      { name: 'down-w', ssh: `port: ${await freePort()}` },
    ]),
  );
});
afterAll(() => sshd.stop());

/** This machine is no host for a cluster: nothing of it is judged, and a plan only reads it. */
const judged = preflightChecks.flatMap(({ id }) => ['--skip-check', id]);

async function plan(...words: string[]): Promise<{ code: number; out: string; err: string }> {
  const io = fakeIo({
    interactive: false,
    env: { XDG_STATE_HOME: await mkdtemp(join(sshd.directory, 'state-')), XDG_CACHE_HOME: sshd.directory },
  });
  const code = await main(['plan', '-f', file, '-o', 'json', ...judged, ...words], io);
  return { code, out: io.out(), err: io.err() };
}

test('a worker is planned while another worker and the control plane are down', async () => {
  const { code, out, err } = await plan('--limit', 'up-w');
  expect([code, err.split('\n').filter((line) => /down-/.test(line))]).toEqual([
    0,
    [
      expect.stringMatching(/^warning: down-cp: left out: /),
      expect.stringContaining('labels and taints of up-w are not set: that is done through a control plane, and --limit has none'),
    ],
  ]);
  const { steps } = planSchema.parse(JSON.parse(out) as PlanDocument);
  expect([...new Set(steps.map(({ host }) => host))].sort()).toEqual(['operator', 'up-w']);
  expect(steps.map(({ id }) => id)).toEqual(expect.arrayContaining(['up-w/kubelet/unit', 'up-w/flanneld/unit', 'up-w/api-endpoint/unit']));
});

test('a host of the limit that is down is an error', async () => {
  const { code, err } = await plan('--limit', 'up-w,down-w');
  expect(code).toBe(4);
  expect(err).toMatch(/error .*down-w.*\[REMOTE_UNREACHABLE\]/);
});

test('without a limit all that are down are', async () => {
  const { code, err } = await plan();
  expect(code).toBe(4);
  expect(err).toMatch(/down-cp/);
  expect(err).toMatch(/down-w/);
});
