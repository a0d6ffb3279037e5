import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { isSlipwayError, type SlipwayError } from '../../../src/base/errors.ts';
import { connect, type ConnectOptions, type RemoteLogEntry } from '../../../src/remote/connect.ts';
import type { Runner } from '../../../src/remote/runner.ts';
import { startSshd, type Sshd } from '../../helpers/sshd.ts';
import { startSshServer, type SshServer, type SshServerOptions } from '../../helpers/ssh-server.ts';
import { startTcpProxy, type TcpProxy } from '../../helpers/tcp-proxy.ts';

let sshd: Sshd;
let proxy: TcpProxy | undefined;
const runners: Runner[] = [];
const servers: SshServer[] = [];
const listeners: Server[] = [];

beforeAll(async () => {
  sshd = await startSshd();
});

afterAll(() => sshd.stop());

afterEach(async () => {
  await Promise.all(runners.splice(0).map((runner) => runner.close()));
  await Promise.all(servers.splice(0).map((server) => server.stop()));
  for (const listener of listeners.splice(0)) listener.close();
  await proxy?.close();
  proxy = undefined;
});

async function serverWith(options: SshServerOptions = {}): Promise<SshServer> {
  const server = await startSshServer(options);
  servers.push(server);
  return server;
}

async function badLine(): Promise<TcpProxy> {
  return (proxy = await startTcpProxy(sshd.port));
}

/** sshd through a line that can be made bad. */
async function throughProxy(options: ConnectOptions = {}): Promise<Runner> {
  const { port } = await badLine();
  return keep(await connect(sshd.target({ port, hostKeys: 'off' }), options));
}

function keep(runner: Runner): Runner {
  runners.push(runner);
  return runner;
}

async function failure(work: Promise<unknown>): Promise<SlipwayError> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!isSlipwayError(error)) throw new Error(`no SlipwayError: ${String(error)}`);
  return error;
}

/** Resolves once the script has said so: its command is really running. */
function running(runner: Runner, script: string): { begun: Promise<void>; done: Promise<unknown> } {
  let begin!: () => void;
  const begun = new Promise<void>((resolve) => (begin = resolve));
  const done = runner.run(`echo begun; ${script}`, { onLine: begin });
  done.catch(() => {});
  return { begun, done };
}

describe('a connection that goes', () => {
  const lost = { code: 'REMOTE_CONNECTION_LOST', category: 'unreachable', where: { host: 'host-1' } };

  test('by a reset in mid-command rejects what runs and all that comes, and nothing else happens', async () => {
    const runner = await throughProxy();
    const { begun, done } = running(runner, 'sleep 60');
    await begun;
    proxy!.reset();
    expect(await failure(done)).toMatchObject(lost);
    expect(await failure(runner.run('echo'))).toMatchObject(lost);
  });

  test('silently (black hole) is found by keepalives', async () => {
    const runner = await throughProxy({ keepalive: { intervalMs: 100, count: 3 } });
    const { begun, done } = running(runner, 'sleep 60');
    await begun;
    proxy!.blackHole();
    expect(await failure(done)).toMatchObject(lost);
  });

  test('on the other side only (half open) is found by keepalives', async () => {
    const runner = await throughProxy({ keepalive: { intervalMs: 100, count: 3 } });
    const { begun, done } = running(runner, 'sleep 60');
    await begun;
    proxy!.halfOpen();
    expect(await failure(done)).toMatchObject(lost);
  });

  test('while a payload is sent ends the script before it has read all', async () => {
    const runner = await throughProxy();
    const file = join(sshd.directory, 'partial');
    proxy!.resetAfter(3_000_000);
    const done = runner.run(`cat > ${file}.tmp && test "$(wc -c < ${file}.tmp)" = 20000000 && mv ${file}.tmp ${file}`, {
      stdin: randomBytes(20_000_000),
    });
    expect(await failure(done)).toMatchObject(lost);
  });

  test('while the script itself is sent runs nothing of it', async () => {
    const runner = await throughProxy();
    const file = join(sshd.directory, 'must-not-exist');
    proxy!.resetAfter(300_000);
    const script = `touch ${file}\n# ${'x'.repeat(2_000_000)}\ntouch ${file}\n`;
    expect(await failure(runner.run(script))).toMatchObject(lost);
    const again = keep(await connect(sshd.target()));
    expect((await again.run(`test -e ${file}`)).code).toBe(1);
  });

  test('rejects a session, also one that nobody waits for', async () => {
    const runner = await throughProxy();
    let greet!: () => void;
    const greeted = new Promise<void>((resolve) => (greet = resolve));
    const session = runner.open('echo hello; cat', { onLine: greet });
    const ignored = runner.open('cat');
    await greeted;
    proxy!.reset();
    expect(await failure(session.done)).toMatchObject(lost);
    session.writeLine('too late');
    ignored.writeLine('too late');
    session.end();
  });

  test('is closed in bounded time although the other side is silent', async () => {
    const runner = await throughProxy();
    proxy!.blackHole();
    await runner.close();
  });
});

describe('an answer that does not come', () => {
  test('from a black hole ends the attempt to connect after its time', async () => {
    const { port } = await badLine();
    proxy!.blackHole();
    const error = await failure(connect(sshd.target({ port, connectTimeoutMs: 300 })));
    expect(error).toMatchObject({ code: 'REMOTE_UNREACHABLE', hint: expect.stringContaining('firewall') });
    expect(error.message).toContain('within 0.3 s');
  });

  test('can be interrupted', async () => {
    const { port } = await badLine();
    proxy!.blackHole();
    const stop = new AbortController();
    const connecting = connect(sshd.target({ port }), { signal: stop.signal });
    stop.abort();
    expect(await failure(connecting)).toMatchObject({ code: 'ABORTED' });
  });

  test('because something else than sshd answers is told', async () => {
    const web = await listening((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    expect(await failure(connect(sshd.target({ port: portOf(web) })))).toMatchObject({ code: 'REMOTE_UNREACHABLE' });
  });

  test('because sshd dropped the connection at random is tried again', async () => {
    let dropped = 0;
    const flaky = await listening((socket) => {
      if (dropped++ < 2) return socket.end();
      const relay = new (socket.constructor as typeof Socket)();
      relay.connect(sshd.port, '127.0.0.1');
      relay.on('error', () => {});
      socket.pipe(relay).pipe(socket);
    });
    const runner = keep(await connect(sshd.target({ port: portOf(flaky), hostKeys: 'off' })));
    expect((await runner.run('echo hi')).stdout).toBe('hi\n');
    expect(dropped).toBe(3);
  });
});

describe('a script that takes too long', () => {
  test('is ended with all its children', async () => {
    const runner = keep(await connect(sshd.target()));
    const error = await failure(runner.run('sleep 7101 & (sleep 7102); sleep 7103', { timeoutMs: 300 }));
    expect(error).toMatchObject({
      code: 'REMOTE_TIMEOUT',
      category: 'failed',
      where: { host: 'host-1' },
      message: expect.stringContaining('were ended'),
    });
    expect((await runner.run('ps -eo stat,args | grep "[s]leep 710" | grep -v ^Z')).stdout).toBe('');
  });

  test('is ended although it ignores SIGTERM', async () => {
    const runner = keep(await connect(sshd.target()));
    const error = await failure(runner.run('trap "" TERM; while :; do sleep 0.05; done # 7104', { timeoutMs: 300 }));
    expect(error).toMatchObject({ code: 'REMOTE_TIMEOUT' });
    expect((await runner.run('echo still works')).stdout).toBe('still works\n');
  });

  test('is slow, and not stuck, as long as it says something or takes something', async () => {
    const runner = keep(await connect(sshd.target()));
    const limit = { silentMs: 2000 };
    expect((await runner.run('for i in 1 2 3 4 5 6; do sleep 0.5; echo $i; done', limit)).code).toBe(0);
    async function* drops(): AsyncGenerator<Buffer> {
      for (let i = 0; i < 6; i++) {
        await delay(500);
        yield Buffer.from('x');
      }
    }
    expect((await runner.run('wc -c', { ...limit, stdin: Readable.from(drops(), { objectMode: false }) })).stdout.trim()).toBe('6');
    const error = await failure(runner.run('echo once; sleep 7105', { silentMs: 300 }));
    expect(error).toMatchObject({
      code: 'REMOTE_TIMEOUT',
      message: 'nothing was heard from a script on host-1, and nothing taken by it, for 0.3 s; its processes were ended',
    });
  });

  test('is ended when the signal fires, and a script not yet begun is not run', async () => {
    const runner = keep(await connect(sshd.target()));
    const stop = new AbortController();
    let begin!: () => void;
    const begun = new Promise<void>((resolve) => (begin = resolve));
    const done = runner.run('echo; sleep 7105', { signal: stop.signal, onLine: begin });
    await begun;
    stop.abort();
    expect(await failure(done)).toMatchObject({ code: 'ABORTED', category: 'aborted' });
    expect(await failure(runner.run('touch /nowhere', { signal: stop.signal }))).toMatchObject({ code: 'ABORTED' });
    expect((await runner.run('ps -eo stat,args | grep "[s]leep 7105" | grep -v ^Z')).stdout).toBe('');
  });

  test('is ended when its payload cannot be read on this side', async () => {
    const runner = keep(await connect(sshd.target()));
    const file = join(sshd.directory, 'incomplete');
    const error = await failure(runner.run(`cat > /dev/null && touch ${file}`, { stdin: createReadStream('/no/such/file') }));
    expect(error).toMatchObject({ code: 'REMOTE_INPUT_FAILED', category: 'failed' });
    const broken = Readable.from(
      (async function* () {
        yield Buffer.from('half');
        throw new Error('disk failed');
      })(),
    );
    expect((await failure(runner.run(`cat > /dev/null && touch ${file}`, { stdin: broken }))).message).toContain('disk failed');
    expect((await runner.run(`test -e ${file}`)).code).toBe(1);
  });

  test('does not wait for a background process that keeps its output open', async () => {
    const runner = keep(await connect(sshd.target()));
    const result = await runner.run('sleep 20 & echo done');
    expect(result).toMatchObject({ code: 0, stdout: 'done\n' });
    await runner.run('pkill -x -f "sleep 20"');
  });
});

describe('sessions of a connection', () => {
  test.each([1, 2, 3])('are shared by many scripts when the server allows %d', async (maxSessions) => {
    const server = await serverWith({ maxSessions });
    const runner = keep(await connect(server.target()));
    const results = await Promise.all(
      Array.from({ length: 12 }, (_, i) => runner.run(`sleep 0.0${i % 3}; echo ${i}`, { asLoginUser: i % 2 === 0 })),
    );
    expect(results.map(({ stdout }) => stdout)).toEqual(Array.from({ length: 12 }, (_, i) => `${i}\n`));
  });

  test.each([2, 3])('are shared by many scripts beside one that stays open when the server allows %d', async (maxSessions) => {
    const server = await serverWith({ maxSessions });
    const runner = keep(await connect(server.target()));
    const lines: string[] = [];
    const session = runner.open('echo open; while read -r word; do echo "heard $word"; done', { onLine: (line) => lines.push(line) });
    const results = await Promise.all(Array.from({ length: 6 }, (_, i) => runner.run(`sleep 0.0${i % 3}; echo ${i}`)));
    expect(results.map(({ stdout }) => stdout)).toEqual(Array.from({ length: 6 }, (_, i) => `${i}\n`));
    session.writeLine('stop');
    session.end();
    await session.done;
    expect(lines).toEqual(['open', 'heard stop']);
  });

  test('are too few for one that stays open when the server allows 1: refused at once, with what to change', async () => {
    const server = await serverWith({ maxSessions: 1 });
    const runner = keep(await connect(server.target()));
    const lines: string[] = [];
    const error = await failure(runner.open('echo open; cat', { onLine: (line) => lines.push(line) }).done);
    expect(error).toMatchObject({
      code: 'REMOTE_SESSION_REFUSED',
      message: expect.stringMatching(/opens 1 session on a connection, and one more is needed$/),
      hint: expect.stringContaining('Set MaxSessions to at least 2 in /etc/ssh/sshd_config'),
    });
    expect(lines).toEqual([]);
    // What needs no second one goes on.
    expect((await runner.run('echo hi')).stdout).toBe('hi\n');
  });

  // It counts a session a moment longer than we hear of it.
  test('of a real server that allows 2 are enough for one script after the other beside one that stays open', async () => {
    const strict = await startSshd(['MaxSessions 2'], ['ed25519']);
    try {
      const runner = keep(await connect(strict.target()));
      const session = runner.open('cat');
      for (let i = 0; i < 40; i++) expect((await runner.run(`echo ${i}`)).stdout).toBe(`${i}\n`);
      const slow = runner.run('sleep 3');
      const together = await Promise.all(Array.from({ length: 5 }, (_, i) => runner.run(`echo ${i}`)));
      expect((await slow).code).toBe(0);
      expect(together.map(({ stdout }) => stdout)).toEqual(['0\n', '1\n', '2\n', '3\n', '4\n']);
      session.end();
      await session.done;
    } finally {
      await strict.stop();
    }
  });

  test('that are refused altogether are told', async () => {
    const server = await serverWith({ maxSessions: 0 });
    expect(await failure(connect(server.target()))).toMatchObject({ code: 'REMOTE_SESSION_REFUSED' });
  });

  test('that the host ended while they waited in reserve are replaced', async () => {
    const server = await serverWith();
    const runner = keep(await connect(server.target()));
    // The server's other shell comes up while this one runs.
    const { stdout } = await runner.run(
      `ended=; until [ -n "$ended" ]; do sleep 0.05; for d in /proc/[0-9]*; do
        read -r pid comm state parent rest <$d/stat || continue
        [ "$comm $parent" = "(sh) $PPID" ] && [ "$pid" != $$ ] && kill "$pid" && ended=yes
      done; done 2>/dev/null; echo ended`,
    );
    expect(stdout).toBe('ended\n');
    for (let i = 0; i < 3; i++) expect((await runner.run(`echo ${i}`)).stdout).toBe(`${i}\n`);
  });
});

describe('output', () => {
  test('keeps characters whole when they arrive in pieces, in lines as in the result', async () => {
    const runner = keep(await connect(sshd.target()));
    const lines: string[] = [];
    const script = `printf '\\303'; sleep 0.05; printf '\\244\\360\\237'; sleep 0.05; printf '\\230\\200\\nsecond\\342'; sleep 0.05; printf '\\202\\254'`;
    const { stdout } = await runner.run(script, { onLine: (line) => lines.push(line) });
    expect(stdout).toBe('ä😀\nsecond€');
    expect(lines).toEqual(['ä😀', 'second€']);
  });

  test('of the login shell before the script is not part of the result', async () => {
    const server = await serverWith({ loginNoise: 'Welcome!\nNo line end here: ' });
    const runner = keep(await connect(server.target()));
    expect(await runner.run('echo hi')).toEqual({ code: 0, stdout: 'hi\n', stderr: '' });
  });

  test('goes to a stream byte for byte, however slow that is', async () => {
    const runner = keep(await connect(sshd.target()));
    const hash = createHash('sha256');
    let length = 0;
    const slow = new Writable({
      highWaterMark: 100_000,
      write(chunk: Buffer, _encoding, done) {
        hash.update(chunk);
        length += chunk.length;
        setTimeout(done, 5);
      },
    });
    const script = 'head -c 6000000 /dev/urandom > "$f"; sha256sum < "$f" >&2; cat "$f"; rm "$f"';
    const result = await runner.run(`f=${join(sshd.directory, 'random')}\n${script}`, { stdout: slow });
    expect(result).toMatchObject({ code: 0, stdout: '' });
    slow.end();
    await once(slow, 'finish');
    expect(length).toBe(6_000_000);
    expect(`${hash.digest('hex')}  -\n`).toBe(result.stderr);
  });

  test('that cannot be written on this side ends the script', async () => {
    const runner = keep(await connect(sshd.target()));
    const full = new Writable({ write: (_chunk, _encoding, done) => done(new Error('no space left')) });
    const error = await failure(runner.run('while :; do echo 7106; sleep 0.05; done', { stdout: full }));
    expect(error).toMatchObject({ code: 'REMOTE_OUTPUT_FAILED', message: expect.stringContaining('no space left') });
  });

  test('is not mistaken for the end by a script that prints command lines', async () => {
    const runner = keep(await connect(sshd.target()));
    const { stdout } = await runner.run(`tr '\\0' ' ' < /proc/$$/cmdline; echo; echo after`);
    expect(stdout).toMatch(/slipway-[0-9a-f]{24} \nafter\n$/);
  });

  test('of a background process after the end is not waited for', async () => {
    const runner = keep(await connect(sshd.target()));
    expect((await runner.run('(sleep 0.05; echo late) & echo done')).stdout).toMatch(/^done\n/);
  });

  test('of 50 MB arrives whole', async () => {
    const runner = keep(await connect(sshd.target()));
    const { stdout } = await runner.run('yes 123456789 | head -c 50000000');
    expect(stdout.length).toBe(50_000_000);
  });
});

test('a function of the caller that throws fails its own script only', async () => {
  const runner = keep(await connect(sshd.target()));
  const other = runner.run('sleep 0.3; echo other');
  const thrown = runner.run('echo x; sleep 7107', {
    onLine: () => {
      throw new Error('cannot parse');
    },
  });
  await expect(thrown).rejects.toThrow('cannot parse');
  expect((await other).stdout).toBe('other\n');
});

test('keys that are exchanged anew in the middle of a transfer do no harm', async () => {
  const strict = await startSshd(['RekeyLimit 1M']);
  try {
    const runner = keep(await connect(strict.target()));
    const payload = randomBytes(12_000_000);
    const { stdout } = await runner.run('sha256sum', { stdin: payload });
    expect(stdout).toBe(`${createHash('sha256').update(payload).digest('hex')}  -\n`);
  } finally {
    await Promise.all(runners.splice(0).map((runner) => runner.close()));
    await strict.stop();
  }
});

test('one signal for very many scripts causes no warning', async () => {
  const warnings: string[] = [];
  const listen = (warning: Error): void => void warnings.push(warning.name);
  process.on('warning', listen);
  const runner = keep(await connect(sshd.target()));
  const { signal } = new AbortController();
  await Promise.all(Array.from({ length: 40 }, () => runner.run('true', { signal })));
  await new Promise((resolve) => setImmediate(resolve));
  process.off('warning', listen);
  expect(warnings).toEqual([]);
});

describe('a login shell', () => {
  test.each([[['bash']], [['dash']], [['busybox', 'sh']]])('%p makes no difference', async (loginShell) => {
    const server = await serverWith({ loginShell });
    const runner = keep(await connect(server.target()));
    expect(await runner.run(`printf '%s|' "it's" "\\n" '!!' "$#"; exit 4`)).toMatchObject({ code: 4, stdout: "it's|\\n|!!|0|" });
  });

  test('that refuses to run commands is told with what it said', async () => {
    const server = await serverWith({
      loginShell: ['/bin/sh', '-c', 'echo This account is currently not available.; exit 1', 'nologin'],
    });
    const error = await failure(connect(server.target()));
    expect(error).toMatchObject({ code: 'LOGIN_SHELL_REFUSED', evidence: 'This account is currently not available.' });
  });
});

test('the remote shell may be dash, bash or busybox: the same script runs on each', async () => {
  for (const shell of ['/bin/dash', '/bin/bash', '/bin/busybox sh']) {
    const server = await serverWith({ shell });
    const runner = keep(await connect(server.target()));
    const payload = randomBytes(300_000);
    const result = await runner.run('echo start; base64 | tr -d "\\n"; exit 9', { stdin: payload });
    expect(result.code).toBe(9);
    expect(Buffer.from(result.stdout.slice(6), 'base64').equals(payload)).toBe(true);
    const big = `: ${'ä'.repeat(200_000)}\necho "\${#0} end"\n\n\n`;
    expect((await runner.run(big)).stdout).toBe('7 end\n');
  }
});

test('the log of a connection tells what was done, without scripts, input or output', async () => {
  const entries: RemoteLogEntry[] = [];
  const runner = keep(await connect(sshd.target(), { log: (entry) => entries.push(entry) }));
  await runner.run('echo secret-in-script; cat', { stdin: 'secret-in-input' });
  const text = JSON.stringify(entries);
  expect(text).toContain('exit code 0');
  expect(text).not.toContain('secret');
});

test('nothing secret shows in the process list while a script runs', async () => {
  const runner = keep(await connect(sshd.target()));
  const { stdout } = await runner.run(`# marker-secret-script\ncat >/dev/null; ps -eww -o args; tr '\\0' '\\n' < /proc/$$/environ`, {
    stdin: 'marker-secret-input',
  });
  expect(stdout).toContain('slipway');
  expect(stdout).not.toContain('marker-secret');
});

test('statistics count scripts and bytes since the login', async () => {
  const runner = keep(await connect(sshd.target()));
  const before = { ...runner.stats };
  await runner.run('cat', { stdin: Buffer.alloc(100_000) });
  expect(runner.stats.roundTrips - before.roundTrips).toBe(1);
  expect(runner.stats.bytesSent - before.bytesSent).toBeGreaterThanOrEqual(100_000);
  expect(runner.stats.bytesReceived - before.bytesReceived).toBeGreaterThanOrEqual(100_000);
});

async function listening(onSocket: (socket: Socket) => void): Promise<Server> {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    onSocket(socket);
  }).listen(0, '127.0.0.1');
  listeners.push(server);
  await once(server, 'listening');
  return server;
}

function portOf(server: Server): number {
  return (server.address() as { port: number }).port;
}
