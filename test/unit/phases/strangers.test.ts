import { describe, expect, test } from '@jest/globals';
import type { Host } from '../../../src/config/cluster.ts';
import { gather, type GatherOptions } from '../../../src/phases/gather.ts';
import { MEMBERS_PROBE } from '../../../src/phases/members.ts';
import { NODES_PROBE } from '../../../src/phases/nodes.ts';
import { scriptedHost } from '../../helpers/scripted-host.ts';
import { output } from '../facts/fixture.ts';
import { clusterOf } from '../preflight/hosts.ts';

interface Asking extends Pick<GatherOptions, 'limit' | 'reach'> {
  named?: boolean;
}

/** Reads three hosts of which w-1 is called something else. */
function asking(hostname: string, { named = false, ...options }: Asking): ReturnType<typeof gather> {
  const cluster = clusterOf();
  const probes = `@probe ${NODES_PROBE.name}\n version cp-1 v1.36.3\n@probe ${MEMBERS_PROBE.name}\n data\n`;
  return gather({
    ...options,
    cluster: { ...cluster, hosts: cluster.hosts.map((host): Host => ({ ...host, named })) },
    runner: async ({ name }) => {
      const called = name === 'w-1' ? hostname : name;
      const facts = output('bookworm').replace('kernel/hostname:cp-1', () => `kernel/hostname:${called}`);
      return scriptedHost(name).on('=====state=====', `${facts}=====state=====\n@list\n${probes}@end\n=====stamp=====\n4294967295 0\n`);
    },
    store: { known: async () => [] } as unknown as GatherOptions['store'],
    state: { inventory: () => ({ authorities: {}, certificates: {}, secrets: {} }) } as unknown as GatherOptions['state'],
    render: () => '',
    now: 0,
    emit: () => undefined,
  });
}

/** How verbs gather, when they look at w-1. */
const verbs: Readonly<Record<string, Asking>> = {
  'plan, apply, verify, status, repair, reset and restore': {},
  'the same where the file has names': { named: true },
  'plan and apply with --limit w-1': { limit: ['w-1'] },
  'plan and apply with --limit of a control plane': { limit: ['cp-1'] },
  'join and remove of w-1': { limit: ['w-1'], reach: { beside: 'observer' } },
  'join and remove of a control plane': { limit: ['w-2'], reach: { beside: 'all' } },
};

describe.each(Object.entries(verbs))('%s', (_, options) => {
  test.each(['w-1;touch /tmp/x;', 'w-1;id >f;', '$(id)', '`id`', "w-1'", '"', 'w 1'])(
    'refuse a host that is called %s',
    async (hostname) => {
      await expect(asking(hostname, options)).rejects.toMatchObject({
        code: 'HOST_NAME_INVALID',
        category: 'refused',
        where: { host: 'w-1' },
      });
    },
  );

  test('take a host with a name', async () => {
    const { context } = await asking('worker-1.example', options);
    expect(context.cluster.hosts[1]!.name).toBe(options.named ? 'w-1' : 'worker-1.example');
  });
});
