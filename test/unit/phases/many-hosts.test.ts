import { describe, expect, test } from '@jest/globals';
import { apply } from '../../../playbooks/apply.ts';
import { componentVersions } from '../../../src/artifacts/catalogue.ts';
import { preflightContext } from '../../../src/checks/preflight/context.ts';
import { preflight } from '../../../src/checks/preflight/index.ts';
import type { Host } from '../../../src/config/cluster.ts';
import { makePlan } from '../../../src/engine/plan.ts';
import type { Facts } from '../../../src/facts/facts.ts';
import { normalise } from '../../../src/phases/normalise.ts';
import { clusterOf, healthy } from '../preflight/hosts.ts';
import { contextOf } from './context.ts';

const COUNT = 300;
const PLANES = 3;

const addressOf = (i: number): string => `10.0.${8 + Math.floor(i / 200)}.${(i % 200) + 1}`;
const nameOf = (i: number): string => (i < PLANES ? `cp-${i + 1}` : `w-${i - PLANES + 1}`);

/** What a host with two networks says; it was asked for the routes to three others. */
function factsOf(i: number): Facts {
  const facts = healthy(nameOf(i), addressOf(i));
  const mac = `52:54:00:00:${(i >> 8).toString(16).padStart(2, '0')}:${(i & 255).toString(16).padStart(2, '0')}`;
  return {
    ...facts,
    machineId: i.toString(16).padStart(32, '0'),
    productUuid: `4c4c4544-0042-3510-8054-${i.toString(16).padStart(12, '0')}`,
    interfaces: [
      facts.interfaces[0]!,
      { name: 'eth0', mac, mtu: 1500, up: true, addresses: [{ address: addressOf(i), prefix: 22 }] },
      {
        name: 'eth1',
        mac: mac.replace('52', '56'),
        mtu: 1500,
        up: true,
        addresses: [{ address: `172.16.0.${(i % 250) + 1}`, prefix: 24 }],
      },
    ],
    routes: [
      { destination: 'default', via: '172.16.0.254', device: 'eth1', source: undefined },
      { destination: '10.0.8.0/22', via: undefined, device: 'eth0', source: addressOf(i) },
      { destination: '172.16.0.0/24', via: undefined, device: 'eth1', source: undefined },
    ],
    routesTo: Object.fromEntries(
      [0, 1, 2].filter((peer) => peer !== i).map((peer) => [addressOf(peer), { device: 'eth0', source: addressOf(i) }]),
    ),
  };
}

function cluster(change: (host: Host) => Host = (host) => host) {
  const [plane, worker] = clusterOf().hosts as [Host, Host];
  const hosts = Array.from({ length: COUNT }, (_, i) =>
    change({ ...(i < PLANES ? plane : worker), name: nameOf(i), address: addressOf(i) }),
  );
  return { ...clusterOf('  network: { podCidr: 10.244.0.0/15 }'), hosts };
}

const facts = Object.fromEntries(Array.from({ length: COUNT }, (_, i) => [nameOf(i), factsOf(i)]));

describe(`${COUNT} hosts`, () => {
  test('have the network that they share, whether the file knows them by address or by name', () => {
    const byName = normalise(
      cluster((host) => ({ ...host, address: `${host.name}.example.com`, privateAddress: host.address })),
      facts,
    );
    for (const settled of [normalise(cluster(), facts), byName]) {
      expect(settled.cluster.network.nodeCidrs).toEqual(['10.0.8.0/22']);
      expect(new Set(settled.cluster.hosts.map((host) => host.interface))).toEqual(new Set(['eth0']));
    }
  });

  test('are fit, and planned for each as if it were the only one of its kind', () => {
    const settled = normalise(cluster(), facts);
    const versions = componentVersions(settled.cluster.kubernetes.version);
    expect(preflight(preflightContext({ ...settled, versions })).filter(({ severity }) => severity === 'error')).toEqual([]);
    const context = { ...contextOf(), ...settled };
    const { steps } = makePlan(apply, context, {});
    const of = (host: string): string[] => steps.filter((step) => step.host === host).map(({ id }) => id.slice(host.length));
    for (let i = PLANES + 1; i < COUNT; i++) expect(of(nameOf(i))).toEqual(of(nameOf(PLANES)));
    // What one step waits for grows with the control planes alone.
    for (const { host, needs } of steps) if (host.startsWith('w-')) expect(needs.length).toBeLessThan(20);
  });
});
