import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { isSlipwayError } from '../../../src/base/errors.ts';
import { connect } from '../../../src/remote/connect.ts';
import { createFleet, type Fleet } from '../../../src/remote/fleet.ts';
import type { Runner } from '../../../src/remote/runner.ts';
import type { Target } from '../../../src/remote/target.ts';
import { freePort, startSshd, type Sshd } from '../../helpers/sshd.ts';
import { startSshServer, type SshServer, type SshServerOptions } from '../../helpers/ssh-server.ts';
import { startTcpProxy, type TcpProxy } from '../../helpers/tcp-proxy.ts';

let sshd: Sshd;
const servers: SshServer[] = [];
const proxies: TcpProxy[] = [];
const runners: Runner[] = [];
let fleet: Fleet | undefined;

beforeAll(async () => {
  sshd = await startSshd(['MaxStartups 3:100:3']);
});

afterAll(() => sshd.stop());

afterEach(async () => {
  await fleet?.closeAll();
  fleet = undefined;
  await Promise.all(runners.splice(0).map((runner) => runner.close()));
  await Promise.all(servers.splice(0).map((server) => server.stop()));
  await Promise.all(proxies.splice(0).map((proxy) => proxy.close()));
});

async function serverWith(options: SshServerOptions = {}): Promise<SshServer> {
  const server = await startSshServer(options);
  servers.push(server);
  return server;
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'no error',
    (error: unknown) => (isSlipwayError(error) ? error.code : String(error)),
  );
}

describe('a jump host', () => {
  test('carries the connection; a chain of two is gone through in order', async () => {
    const [first, second, last] = [await serverWith(), await serverWith(), await serverWith()];
    const target = last.target({ jump: [first.target({ name: 'first' }), second.target({ name: 'second' })] });
    const runner = await connect(target);
    runners.push(runner);
    expect((await runner.run('cat', { stdin: Buffer.alloc(3_000_000, 'x') })).stdout.length).toBe(3_000_000);
    expect(first.forwards).toEqual([`127.0.0.1:${second.port}`]);
    expect(second.forwards).toEqual([`127.0.0.1:${last.port}`]);
    expect([first.commands, second.commands]).toEqual([[], []]);
  });

  test('is a real sshd too', async () => {
    const runner = await connect(sshd.target({ name: 'inner', jump: [sshd.target({ name: 'jump' })] }));
    runners.push(runner);
    expect((await runner.run('echo through')).stdout).toBe('through\n');
  });

  test('and the host behind it are each verified against their own name', async () => {
    const [jump, last] = [await serverWith(), await serverWith()];
    const stranger = jump.target({ name: 'jump', knownHosts: [last.knownHosts] });
    const error: unknown = await connect(last.target({ jump: [stranger] })).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'HOST_KEY_UNKNOWN', where: { host: 'jump' } });
    expect(jump.credentials).toEqual([]);
    const inner: unknown = await connect(last.target({ knownHosts: [jump.knownHosts], jump: [jump.target({ name: 'jump' })] })).catch(
      (reason: unknown) => reason,
    );
    expect(inner).toMatchObject({ code: 'HOST_KEY_UNKNOWN', where: { host: 'host-1' } });
    expect(last.credentials).toEqual([]);
  });

  test('that does not forward, or cannot reach the host, is named', async () => {
    const [refusing, jump, last] = [await serverWith({ noForwarding: true }), await serverWith(), await serverWith()];
    const error: unknown = await connect(last.target({ jump: [refusing.target({ name: 'jump' })] })).catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      code: 'REMOTE_UNREACHABLE',
      where: { host: 'jump' },
      hint: expect.stringContaining('AllowTcpForwarding'),
    });
    expect(await codeOf(connect(last.target({ port: await freePort(), jump: [jump.target({ name: 'jump' })] })))).toBe(
      'REMOTE_UNREACHABLE',
    );
  });

  test('that goes takes the connection behind it along', async () => {
    const [jump, last] = [await serverWith(), await serverWith()];
    const runner = await connect(last.target({ jump: [jump.target({ name: 'jump' })] }));
    runners.push(runner);
    let begin!: () => void;
    const begun = new Promise<void>((resolve) => (begin = resolve));
    const running = runner.run('echo; sleep 60', { onLine: begin });
    running.catch(() => {});
    await begun;
    jump.dropAll();
    expect(await codeOf(running)).toBe('REMOTE_CONNECTION_LOST');
    expect(await codeOf(runner.run('echo'))).toBe('REMOTE_CONNECTION_LOST');
  });
});

describe('a fleet', () => {
  test('connects a host when it is first needed, and once', async () => {
    const [one, two] = [await serverWith(), await serverWith()];
    fleet = createFleet([one.target({ name: 'one' }), two.target({ name: 'two' })]);
    const [first, again] = await Promise.all([fleet.runner('one'), fleet.runner('one')]);
    expect(again).toBe(first);
    expect(await fleet.runner('one')).toBe(first);
    expect([one.connections(), two.connections()]).toEqual([1, 0]);
    await fleet.closeAll();
    await one.idle();
  });

  test('behind one jump host logs in there once', async () => {
    const jump = await serverWith();
    const hosts = await Promise.all(Array.from({ length: 6 }, () => serverWith()));
    fleet = createFleet(hosts.map((host, i) => host.target({ name: `host-${i}`, jump: [jump.target({ name: 'jump' })] })));
    const names = fleet.names;
    const outputs = await Promise.all(names.map(async (name) => (await (await fleet!.runner(name)).run(`echo ${name}`)).stdout.trim()));
    expect(outputs).toEqual(names);
    expect(jump.connections()).toBe(1);
  });

  test('connects at most so many hosts at a time', async () => {
    const server = await serverWith();
    let now = 0;
    let most = 0;
    const proxy = await startTcpProxy(server.port);
    proxies.push(proxy);
    const target = (i: number): Target =>
      server.target({ name: `host-${i}`, hostKeys: 'accept-new', knownHosts: [`${server.directory}/none-${i}`] });
    fleet = createFleet(
      Array.from({ length: 9 }, (_, i) => target(i)),
      {
        concurrency: 2,
        log: ({ message }) => void (message.startsWith('logged in') && now--),
        prompts: { secret: async () => undefined, hostKey: async () => true },
      },
    );
    const original = server.credentials.push.bind(server.credentials);
    server.credentials.push = (...items) => {
      most = Math.max(most, ++now);
      return original(...items);
    };
    await Promise.all(fleet.names.map((name) => fleet!.runner(name)));
    expect(most).toBeLessThanOrEqual(2);
  });

  test('tries a host again that could not be reached before', async () => {
    const server = await serverWith();
    const proxy = await startTcpProxy(server.port);
    proxies.push(proxy);
    proxy.blackHole();
    fleet = createFleet([server.target({ name: 'one', port: proxy.port, hostKeys: 'off', connectTimeoutMs: 200 })]);
    expect(await codeOf(fleet.runner('one'))).toBe('REMOTE_UNREACHABLE');
    proxy.heal();
    expect((await (await fleet.runner('one')).run('echo hi')).stdout).toBe('hi\n');
  });

  test('connects a host again after its connection was lost', async () => {
    const server = await serverWith();
    fleet = createFleet([server.target({ name: 'one' })]);
    const runner = await fleet.runner('one');
    server.dropAll();
    expect(await codeOf(runner.run('sleep 60'))).toBe('REMOTE_CONNECTION_LOST');
    expect((await (await fleet.runner('one')).run('echo back')).stdout).toBe('back\n');
  });

  test('asks one question at a time, and the same one once', async () => {
    const hosts = await Promise.all(Array.from({ length: 4 }, () => serverWith({ methods: ['password'], password: 'hunter2' })));
    let open = 0;
    const asked: string[] = [];
    const prompts = {
      secret: async ({ subject }: { subject: string }) => {
        expect(++open).toBe(1);
        asked.push(subject);
        await new Promise((resolve) => setImmediate(resolve));
        open--;
        return 'hunter2';
      },
      hostKey: async () => false,
    };
    fleet = createFleet(
      hosts.map((host, i) => host.target({ name: `host-${i}` })),
      { prompts },
    );
    await Promise.all(fleet.names.map((name) => fleet!.runner(name)));
    expect(asked.sort()).toEqual(['admin@host-0', 'admin@host-1', 'admin@host-2', 'admin@host-3']);
  });

  test('gets in although sshd drops connections at random while many log in', async () => {
    fleet = createFleet(Array.from({ length: 5 }, (_, i) => sshd.target({ name: `host-${i}` })));
    const outputs = await Promise.all(fleet.names.map(async (name) => (await (await fleet!.runner(name)).run('echo hi')).stdout));
    expect(outputs).toEqual(Array.from({ length: 5 }, () => 'hi\n'));
  });

  test('gets in although a person needs longer to answer than the server waits', async () => {
    const server = await serverWith({ methods: ['password'], password: 'hunter2' });
    let asked = 0;
    const prompts = {
      secret: async () => {
        asked++;
        server.dropAll(); // LoginGraceTime
        return 'hunter2';
      },
      hostKey: async () => false,
    };
    fleet = createFleet([server.target({ name: 'one' })], { prompts });
    expect((await (await fleet.runner('one')).run('echo hi')).stdout).toBe('hi\n');
    expect(asked).toBe(1);
  });
});
