import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { LOCAL_ETCDCTL } from '../../src/components/etcd.ts';
import { powerOff, powerOn } from '../../src/lab/index.ts';
import { installClient, MODES, startClients } from '../helpers/api-client.ts';
import { testLab, type TestLab } from '../helpers/lab.ts';

const HEALTH = `${LOCAL_ETCDCTL} endpoint health --cluster 2>&1`;

let lab: TestLab;
beforeAll(async () => {
  lab = await testLab('soak-ha', { hosts: 5, controlPlanes: 3 });
  await lab.ok('apply', '--yes');
  await installClient(lab, 'w-1');
});
afterAll(() => lab.down());

/** Seconds since 1970 at which the worker's load balancer said that of a server, since a moment. */
async function balancerSaid(host: string, what: 'DOWN' | 'UP', since: number): Promise<number> {
  const line = await lab.on(
    'w-1',
    `until journalctl -q --no-pager -u api-endpoint -o short-unix --since @${Math.floor(since)} | grep -F "/${host} is ${what}" | tail -n 1 | grep .; do sleep 0.1; done`,
  );
  return Number(line.split(' ')[0]);
}

test.each(['cp-1', 'cp-2', 'cp-3'])(
  'the API stays up for a client on a worker while %s has no power, and it comes back by itself',
  async (host) => {
    const other = host === 'cp-1' ? 'cp-2' : 'cp-1';
    const clients = await startClients(lab, 'w-1');
    const off = Date.now() / 1000;
    await powerOff({ name: lab.name, host });
    const down = await balancerSaid(host, 'DOWN', off);
    // Long enough to see what only happens when a lease has ended: scheduler and controller manager change their leaders.
    await lab.on(other, `until [ "$(date +%s)" -ge ${Math.ceil(down) + 20} ]; do sleep 0.2; done`);
    const on = Date.now() / 1000;
    await powerOn({ name: lab.name, host });
    await balancerSaid(host, 'UP', on);
    await lab.on(other, `until [ "$(${HEALTH} | grep -c 'is healthy')" = 3 ]; do sleep 0.5; done`);
    const outcomes = await clients.end();
    for (const [i, { requests, failed, gap }] of outcomes.entries()) {
      process.stderr.write(
        `${host} off, ${MODES[i]} connections: ${failed.length} of ${requests} requests failed, longest gap ${gap.toFixed(1)} s; the balancer knew ${(down - off).toFixed(1)} s after the order\n`,
      );
      expect(failed.filter(([at]) => at > down)).toEqual([]);
      expect(requests).toBeGreaterThan(100);
    }
    await lab.ok('verify');
  },
);
