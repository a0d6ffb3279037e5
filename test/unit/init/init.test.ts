import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { SlipwayError } from '../../../src/base/errors.ts';
import { type InitOptions, runInit } from '../../../src/cli/init/init.ts';
import { keyId, type Probe, type ProbeResult } from '../../../src/cli/init/probe.ts';
import { aborted } from '../../../src/cli/init/questions.ts';
import { parseCluster } from '../../../src/config/parse.ts';
import type { Facts } from '../../../src/facts/facts.ts';
import { healthy } from '../preflight/hosts.ts';
import { fakeIo, person, type Answers } from './io.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'slipway-init-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const file = () => join(directory, 'cluster.yaml');
const written = () => parseCluster(readFileSync(file(), 'utf8'), file()).cluster;
const options = (more: Partial<InitOptions> = {}): InitOptions => ({ file: file(), yes: false, input: true, ...more });

const facts = (host: string): Facts => healthy(`node-${host.split('.')[3]!}`, host);
const found = (host: string): ProbeResult => ({ kind: 'facts', facts: facts(host) });
const unreachable = (host: string, more: Partial<Extract<ProbeResult, { kind: 'error' }>> = {}): ProbeResult => ({
  kind: 'error',
  error: new SlipwayError(`${host} does not answer`, {
    code: 'REMOTE_UNREACHABLE',
    category: 'unreachable',
    where: { host },
    hint: `Start ${host}.`,
  }),
  secretWanted: false,
  ...more,
});

/** Answers for each host: the first look gives the first result, and so on; the last is repeated. */
function hosts(results: Record<string, readonly ProbeResult[]> = {}): Probe & { looks: string[][]; seen: Parameters<Probe>[0][] } {
  const left = new Map(Object.entries(results).map(([host, list]) => [host, [...list]]));
  const looks: string[][] = [];
  const seen: Parameters<Probe>[0][] = [];
  const probe: Probe = async (request, onResult) => {
    looks.push([...request.hosts]);
    seen.push(request);
    for (const host of request.hosts) {
      const list = left.get(host) ?? [found(host)];
      await Promise.resolve();
      onResult(host, list.length > 1 ? list.shift()! : list[0]!);
    }
  };
  return Object.assign(probe, { looks, seen });
}

async function run(answers: Answers, { more = {}, probe = hosts() }: { more?: Partial<InitOptions>; probe?: Probe } = {}) {
  const io = fakeIo({ interactive: true, env: { HOME: directory } });
  const questions = person(answers);
  const code = await runInit(options(more), io, { questions, probe, judge: () => [] });
  expect(questions.unused()).toEqual([]);
  return { code, io, questions };
}

describe('at a terminal', () => {
  test('three hosts become three control planes, and the file says so', async () => {
    const { code, io, questions } = await run({ 'Hosts:': ['10.0.0.[11-13]'], 'Log in as': ['admin'] });
    expect(code).toBe(0);
    expect(questions.asked).toEqual([
      'Hosts:',
      'Log in as (root, or a user who may use sudo):',
      'With which key?',
      'Name of the cluster:',
      'How shall pods reach each other?',
      'Install metrics-server (kubectl top, autoscaling)?',
      'How many control planes?',
      'Which 3 hosts shall be control planes?',
      `Write this to ${file()}?`,
    ]);
    expect(written()).toMatchObject({
      name: 'kubernetes',
      hosts: ['11', '12', '13'].map((n) => ({
        name: `node-${n}`,
        named: true,
        address: `10.0.0.${n}`,
        roles: ['control-plane', 'etcd', 'worker'],
        ssh: { user: 'admin' },
      })),
    });
    expect(readFileSync(file(), 'utf8')).toContain(`
  # 3 control planes: the cluster survives the loss of any one of them.
  # They take ordinary pods too, as there is no other host.
  hosts:
    - { name: node-11, address: 10.0.0.11, roles: [control-plane, worker] }
`);
    expect(io.err()).toContain(`HOST       NAME     SYSTEM                                 CPUS  MEMORY   DISK FREE  ADDRESSES
10.0.0.11  node-11  Debian GNU/Linux 12 (bookworm), amd64  2     4.0 GiB  60.0 GiB   10.0.0.11/24 (eth0)
`);
    expect(io.err()).toContain(`Next: slipway plan -f ${file()} shows what would be done; slipway apply -f ${file()} does it.\n`);
    expect(io.out()).toBe('');
    expect(readdirSync(directory)).toEqual(['cluster.yaml']);
  });

  test('every answer reaches the file', async () => {
    await run(
      {
        'Hosts:': ['10.0.0.999', 'root@10.0.0.[11-16]:2222'],
        'With which key?': ['other'],
        'Path of': ['/nowhere/key', '/dev/null'],
        'Name of': ['Prod', 'prod'],
        'How shall pods': ['wireguard'],
        'Install metrics': [true],
        'How many': ['1'],
        'Which host': [['10.0.0.14:2222']],
        'Shall control planes': [true],
      },
      { probe: hosts(Object.fromEntries(['11', '12', '13', '14', '15', '16'].map((n) => [`10.0.0.${n}:2222`, [found(`10.0.0.${n}`)]]))) },
    );
    const cluster = written();
    expect(cluster).toMatchObject({ name: 'prod', network: { flannel: { backend: 'wireguard' } }, addons: { metricsServer: true } });
    expect(cluster.hosts.map(({ name, roles }) => [name, roles.join()])).toEqual([
      ['node-11', 'worker'],
      ['node-12', 'worker'],
      ['node-13', 'worker'],
      ['node-14', 'control-plane,etcd,worker'],
      ['node-15', 'worker'],
      ['node-16', 'worker'],
    ]);
    expect(cluster.hosts[0]!.ssh).toMatchObject({ user: 'root', port: 2222, identityFile: '/dev/null' });
  });

  test('hosts are looked at before the remaining questions are asked', async () => {
    const probe = hosts();
    await run(
      {
        'Hosts:': ['10.0.0.11'],
        'Name of': [
          (() => {
            expect(probe.looks).toEqual([['10.0.0.11']]);
            return 'a';
          }) as () => never,
        ],
      },
      { probe },
    );
  });

  test('flags answer their questions', async () => {
    const more = {
      host: ['10.0.0.11'],
      user: 'admin',
      identityFile: '~/key',
      name: 'a',
      flannel: 'host-gw',
      metricsServer: false,
    } as const;
    const { questions } = await run({}, { more });
    expect(questions.asked).toEqual([`Write this to ${file()}?`]);
    expect(written()).toMatchObject({ name: 'a', network: { flannel: { backend: 'host-gw' } } });
  });

  test('Ctrl-C at a question writes nothing and is ABORTED', async () => {
    const answers: Answers = {
      'Hosts:': ['10.0.0.11'],
      'Name of': [
        () => {
          throw aborted();
        },
      ],
    };
    await expect(run(answers)).rejects.toMatchObject({ code: 'ABORTED', category: 'aborted' });
    expect(readdirSync(directory)).toEqual([]);
  });

  test('no at the end writes nothing and is ABORTED', async () => {
    await expect(run({ 'Hosts:': ['10.0.0.11'], 'Write this': [false] })).rejects.toMatchObject({ code: 'ABORTED' });
    expect(readdirSync(directory)).toEqual([]);
  });

  test('Ctrl-C while hosts are looked at stops the looking', async () => {
    const io = fakeIo({ interactive: true, env: { HOME: directory } });
    const probe: Probe = ({ signal }) =>
      new Promise((_, reject) => {
        signal.addEventListener('abort', () => reject(new SlipwayError('interrupted', { code: 'ABORTED', category: 'aborted' })));
        queueMicrotask(() => io.interrupt());
      });
    await expect(runInit(options(), io, { questions: person({ 'Hosts:': ['10.0.0.11'] }), probe, judge: () => [] })).rejects.toMatchObject({
      code: 'ABORTED',
    });
  });

  test('a file that is there is only replaced after a question', async () => {
    writeFileSync(file(), 'precious');
    await expect(run({})).rejects.toMatchObject({ code: 'ABORTED' });
    expect(readFileSync(file(), 'utf8')).toBe('precious');
    await run({ 'Write a new one': [true], 'Hosts:': ['10.0.0.11'] });
    expect(written().hosts).toHaveLength(1);
  });

  test('the person may go on with the plan', async () => {
    const io = fakeIo({ interactive: true, env: { HOME: directory } });
    const went: string[] = [];
    const next = async (verb: string) => {
      went.push(verb);
      return 2;
    };
    expect(
      await runInit(options(), io, {
        questions: person({ 'Hosts:': ['10.0.0.11'], 'What now?': ['apply'] }),
        probe: hosts(),
        judge: () => [],
        next,
      }),
    ).toBe(2);
    expect(went).toEqual(['apply']);
  });
});

describe('host keys that are not known', () => {
  const question = (host: string) => ({ host, address: host, type: 'ssh-ed25519', fingerprint: `SHA256:${host}` });
  const unknown = (host: string): ProbeResult => ({ kind: 'unknown-key', question: question(host) });

  test('are shown together and confirmed once', async () => {
    const probe = hosts({
      '10.0.0.11': [unknown('10.0.0.11'), found('10.0.0.11')],
      '10.0.0.12': [unknown('10.0.0.12'), found('10.0.0.12')],
    });
    const { io, questions } = await run({ 'Hosts:': ['10.0.0.[11-12]'], 'Are these their keys': [true] }, { probe });
    expect(questions.asked.filter((message) => message.includes('key'))).toEqual(['With which key?', 'Are these their keys, all of them?']);
    expect(io.err()).toContain('  10.0.0.11  ssh-ed25519  SHA256:10.0.0.11\n  10.0.0.12  ssh-ed25519  SHA256:10.0.0.12\n');
    expect(probe.looks).toEqual([
      ['10.0.0.11', '10.0.0.12'],
      ['10.0.0.11', '10.0.0.12'],
    ]);
    expect([...probe.seen[1]!.accepted]).toEqual([keyId(question('10.0.0.11')), keyId(question('10.0.0.12'))]);
  });

  test('are not accepted by silence', async () => {
    const probe = hosts({ '10.0.0.11': [unknown('10.0.0.11')] });
    await expect(run({ 'Hosts:': ['10.0.0.11'], '10.0.0.11 cannot': ['stop'] }, { probe })).rejects.toMatchObject({ code: 'ABORTED' });
    expect(probe.looks).toHaveLength(1);
  });

  test('of a jump host are asked for once, then those of the hosts behind it', async () => {
    const jump: ProbeResult = { kind: 'unknown-key', question: question('bastion') };
    const probe = hosts({ '10.0.0.11': [jump, unknown('10.0.0.11'), found('10.0.0.11')], '10.0.0.12': [jump, found('10.0.0.12')] });
    const { questions } = await run({ 'Hosts:': ['10.0.0.[11-12]'], 'Is that its key?': [true, true] }, { probe });
    expect(questions.asked.filter((message) => message === 'Is that its key?')).toHaveLength(2);
    expect(probe.looks).toEqual([['10.0.0.11', '10.0.0.12'], ['10.0.0.11', '10.0.0.12'], ['10.0.0.11']]);
  });

  test('are never accepted by --yes', async () => {
    const io = fakeIo({ interactive: true });
    const probe = hosts({ '10.0.0.11': [unknown('10.0.0.11')] });
    await expect(runInit(options({ yes: true, host: ['10.0.0.11'] }), io, { probe, judge: () => [] })).rejects.toMatchObject({
      code: 'INIT_HOSTS_FAILED',
      category: 'unreachable',
      errors: [{ code: 'HOST_KEY_UNKNOWN', where: { host: '10.0.0.11' } }],
    });
    expect(probe.looks).toHaveLength(1);
    expect(readdirSync(directory)).toEqual([]);
  });
});

describe('hosts that fail', () => {
  const two = { 'Hosts:': ['10.0.0.[11-12]'] };

  test('may be tried again', async () => {
    const probe = hosts({ '10.0.0.12': [unreachable('10.0.0.12'), found('10.0.0.12')] });
    const { io } = await run({ ...two, '10.0.0.12 cannot': ['again'] }, { probe });
    expect(io.err()).toContain('error 10.0.0.12: 10.0.0.12 does not answer [REMOTE_UNREACHABLE]\n    next: Start 10.0.0.12.\n');
    expect(written().hosts.map(({ name }) => name)).toEqual(['node-11', 'node-12']);
  });

  test('may be left out', async () => {
    await run({ ...two, '10.0.0.12 cannot': ['drop'] }, { probe: hosts({ '10.0.0.12': [unreachable('10.0.0.12')] }) });
    expect(written().hosts.map(({ address }) => address)).toEqual(['10.0.0.11']);
  });

  test('may stay in the file, without a name, and are no control planes by choice', async () => {
    await run({ ...two, '10.0.0.11 cannot': ['keep'] }, { probe: hosts({ '10.0.0.11': [unreachable('10.0.0.11')] }) });
    expect(written().hosts.map(({ name, named, roles }) => [name, named, roles[0]])).toEqual([
      ['10.0.0.11', false, 'worker'],
      ['node-12', true, 'control-plane'],
    ]);
  });

  test('with one reason are one line', async () => {
    const all = ['11', '12', '13', '14', '15', '16'].map((n) => `10.0.0.${n}`);
    const probe = hosts(Object.fromEntries(all.map((host) => [host, [unreachable(host), found(host)]])));
    const { io } = await run({ 'Hosts:': ['10.0.0.11-16'], '10.0.0.11, 10.0.0.12, 10.0.0.13 and 3 more cannot': ['again'] }, { probe });
    expect(io.err()).toContain(
      'error 10.0.0.11, 10.0.0.12, 10.0.0.13 and 3 more: the host does not answer [REMOTE_UNREACHABLE]\n    next: Start HOST.\n',
    );
  });

  test('for want of a password are looked at again when somebody can be asked', async () => {
    const probe = hosts({ '10.0.0.11': [unreachable('10.0.0.11', { secretWanted: true }), found('10.0.0.11')] });
    await run({ 'Hosts:': ['10.0.0.11'] }, { probe });
    expect(probe.seen.map(({ secret }) => secret === undefined)).toEqual([true, false]);
  });

  test('stop a run without a terminal before anything is written', async () => {
    const probe = hosts({ '10.0.0.12': [unreachable('10.0.0.12')] });
    await expect(
      runInit(options({ yes: true, host: ['10.0.0.11-12'] }), fakeIo({ interactive: false }), { probe, judge: () => [] }),
    ).rejects.toMatchObject({
      code: 'INIT_HOSTS_FAILED',
      category: 'unreachable',
      message: '1 of 2 hosts cannot be looked at; nothing was written',
      hint: 'With --no-connect the file is written without looking at the hosts.',
    });
    expect(readdirSync(directory)).toEqual([]);
  });
});

describe('without a terminal', () => {
  const run = (more: Partial<InitOptions>, probe: Probe = hosts()) => {
    const io = fakeIo({ interactive: false, env: { HOME: directory } });
    return { io, done: runInit(options({ yes: true, ...more }), io, { probe, judge: () => [] }) };
  };

  test('flags say everything', async () => {
    const more = {
      host: ['10.0.0.[11-12]', 'db=ops@10.0.0.13'],
      user: 'admin',
      port: 2222,
      identityFile: join(directory, 'keys/id'),
      knownHosts: '/etc/known_hosts',
      jump: ['bastion'],
      name: 'prod',
      kubernetesVersion: '1.36.1',
      controlPlanes: 1,
      metricsServer: true,
    };
    expect(await run(more).done).toBe(0);
    expect(readFileSync(file(), 'utf8')).toContain(
      'ssh: { user: admin, port: 2222, identityFile: keys/id, knownHosts: /etc/known_hosts, jump: [bastion] }',
    );
    expect(written()).toMatchObject({
      name: 'prod',
      kubernetes: { version: '1.36.1' },
      addons: { metricsServer: true },
      hosts: [
        { name: 'node-11', roles: ['control-plane', 'etcd'] },
        { name: 'node-12', roles: ['worker'] },
        { name: 'db', roles: ['worker'], ssh: { user: 'ops', port: 2222, jump: ['bastion'] } },
      ],
    });
  });

  test('the smallest command line is enough', async () => {
    expect(await run({ host: ['10.0.0.11'] }).done).toBe(0);
    expect(written().hosts).toMatchObject([{ roles: ['control-plane', 'etcd', 'worker'] }]);
  });

  test('--no-connect writes without looking', async () => {
    const probe = hosts();
    expect(await run({ host: ['a.example.com', 'b.example.com'], connect: false }, probe).done).toBe(0);
    expect(probe.looks).toEqual([]);
    expect(written().hosts.map(({ address, roles }) => [address, roles[0]])).toEqual([
      ['a.example.com', 'control-plane'],
      ['b.example.com', 'worker'],
    ]);
  });

  test('- writes to standard output', async () => {
    const { io, done } = run({ file: '-', host: ['10.0.0.11'] });
    expect(await done).toBe(0);
    expect(parseCluster(io.out(), 'c').cluster.hosts).toHaveLength(1);
  });

  test.each([
    [{}, 'QUESTION_UNANSWERABLE', 'Say it with --host.'],
    [{ host: ['10.0.0.11'], yes: false }, 'QUESTION_UNANSWERABLE', 'Say it with --yes.'],
    [{ host: ['10.0.0.300'] }, 'HOSTS_INVALID', 'Write for instance --host 10.0.0.[11-13] or --host cp-1=admin@10.0.0.11:22.'],
    [{ host: ['10.0.0.11'], controlPlanes: 2 }, 'CONTROL_PLANES_INVALID', 'Say --control-planes with 1.'],
    [{ host: ['10.0.0.11'], privateNetwork: '10.9.0.0/16' }, 'NETWORK_NOT_FOUND', 'It is in 10.0.0.0/24.'],
    [{ host: ['10.0.0.11'], privateNetwork: 'eth1' }, 'NETWORK_INVALID', 'For instance --private-network 10.0.0.0/24.'],
    [{ host: ['10.0.0.11'], name: 'Prod' }, 'FLAG_INVALID', 'For instance --name prod.'],
    [{ host: ['10.0.0.11'], port: 0 }, 'FLAG_INVALID', undefined],
    [{ host: ['10.0.0.11'], kubernetesVersion: '1.36' }, 'FLAG_INVALID', 'For instance --kubernetes-version 1.36.3.'],
    [{ host: ['10.0.0.11'], jump: ['a b'] }, 'FLAG_INVALID', 'For instance --jump [user@]host[:port].'],
    [{ host: ['10.0.0.11'], user: '-o' }, 'FLAG_INVALID', undefined],
  ])('%j is %s', async (more, code, hint) => {
    await expect(run(more).done).rejects.toMatchObject({ code, category: 'usage', hint });
    expect(readdirSync(directory)).toEqual([]);
  });

  test('a file that is there is only replaced with --force', async () => {
    writeFileSync(file(), 'precious');
    await expect(run({ host: ['10.0.0.11'] }).done).rejects.toMatchObject({ code: 'CLUSTER_FILE_EXISTS', category: 'usage' });
    expect(readFileSync(file(), 'utf8')).toBe('precious');
    expect(await run({ host: ['10.0.0.11'], force: true }).done).toBe(0);
    expect(written().hosts).toHaveLength(1);
  });

  test('what cannot be written is an error, not a crash', async () => {
    writeFileSync(join(directory, 'x'), '');
    await expect(run({ file: join(directory, 'x', 'cluster.yaml'), host: ['10.0.0.11'] }).done).rejects.toMatchObject({
      code: 'CLUSTER_FILE_UNWRITABLE',
    });
  });
});

describe('addresses for the cluster’s own traffic', () => {
  const dual = (n: number, login: string): Facts => {
    const base = healthy(`n${n}`, `192.168.7.${n}`);
    return {
      ...base,
      interfaces: [...base.interfaces, { name: 'eth1', mac: '', mtu: 1500, up: true, addresses: [{ address: login, prefix: 24 }] }],
    };
  };
  const publicHosts = hosts({
    '203.0.113.1': [{ kind: 'facts', facts: dual(1, '203.0.113.1') }],
    '203.0.113.2': [{ kind: 'facts', facts: dual(2, '203.0.113.2') }],
  });

  test('are proposed where all hosts share a private network behind public addresses', async () => {
    const { io } = await run({ 'Hosts:': ['203.0.113.[1-2]'], 'Shall the cluster': [true] }, { probe: publicHosts });
    expect(io.err()).toContain('All hosts also have an address in 192.168.7.0/24 (eth0).');
    expect(written().hosts.map(({ privateAddress, interface: device }) => [privateAddress, device])).toEqual([
      ['192.168.7.1', 'eth0'],
      ['192.168.7.2', 'eth0'],
    ]);
  });

  test('stay the login addresses when the person says so', async () => {
    await run({ 'Hosts:': ['203.0.113.[1-2]'], 'Shall the cluster': [false] }, { probe: publicHosts });
    expect(written().hosts.map(({ privateAddress }) => privateAddress)).toEqual([undefined, undefined]);
  });

  test('are the hosts’ own when SSH goes through forwarded ports', async () => {
    const probe = hosts({ '127.0.0.1:2201': [found('10.0.0.11')], '127.0.0.1:2202': [found('10.0.0.12')] });
    await run({ 'Hosts:': ['127.0.0.1:2201 127.0.0.1:2202'] }, { probe });
    expect(written().hosts.map(({ name, privateAddress }) => [name, privateAddress])).toEqual([
      ['node-11', '10.0.0.11'],
      ['node-12', '10.0.0.12'],
    ]);
  });

  test('are then those of the default route, where there are several', async () => {
    const behind = (n: number): ProbeResult => {
      const base = facts(`10.0.0.${n}`);
      return {
        kind: 'facts',
        facts: {
          ...base,
          interfaces: [
            { name: 'br0', mac: '', mtu: 1500, up: true, addresses: [{ address: `10.8.0.${n}`, prefix: 24 }] },
            ...base.interfaces,
          ],
        },
      };
    };
    await run(
      { 'Hosts:': ['198.51.100.1:2201 198.51.100.1:2202'] },
      { probe: hosts({ '198.51.100.1:2201': [behind(11)], '198.51.100.1:2202': [behind(12)] }) },
    );
    expect(written().hosts.map(({ privateAddress, interface: device }) => [privateAddress, device])).toEqual([
      ['10.0.0.11', 'eth0'],
      ['10.0.0.12', 'eth0'],
    ]);
  });
});

describe('what the hosts report', () => {
  test('two hosts with one hostname stay without names', async () => {
    const same = (host: string): ProbeResult => ({ kind: 'facts', facts: { ...facts(host), hostname: 'debian' } });
    await run({ 'Hosts:': ['10.0.0.[11-12]'] }, { probe: hosts({ '10.0.0.11': [same('10.0.0.11')], '10.0.0.12': [same('10.0.0.12')] }) });
    expect(written().hosts.map(({ named }) => named)).toEqual([false, false]);
  });

  test('problems are shown with what to do, and say that they come first', async () => {
    const io = fakeIo({ interactive: false });
    const small = { ...facts('10.0.0.11'), os: { id: 'plan9', versionId: '4', prettyName: 'Plan 9', like: [] } };
    await runInit(options({ yes: true, host: ['10.0.0.11'] }), io, { probe: hosts({ '10.0.0.11': [{ kind: 'facts', facts: small }] }) });
    expect(io.err()).toContain('error node-11: Plan 9 is not supported: nothing is known about this system\n    next: Use one of:');
    expect(io.err()).toContain('What is named above as an error must be mended on the hosts before the installation can begin.');
    expect(written().hosts).toHaveLength(1);
  });

  test('a network of theirs that the cluster would take is avoided', async () => {
    const routed = {
      ...facts('10.0.0.11'),
      routes: [...facts('10.0.0.11').routes, { destination: '10.244.0.0/16', via: '10.0.0.1', device: 'eth0', source: undefined }],
    };
    const io = fakeIo({ interactive: false });
    await runInit(options({ yes: true, host: ['10.0.0.11'] }), io, {
      probe: hosts({ '10.0.0.11': [{ kind: 'facts', facts: routed }] }),
      judge: () => [],
    });
    expect(written().network.podCidr).toBe('10.42.0.0/16');
  });
});
