import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { connect } from '../../../src/remote/connect.ts';
import type { Runner } from '../../../src/remote/runner.ts';
import { startSshd, type Sshd } from '../../helpers/sshd.ts';

let sshd: Sshd;
let runner: Runner;

beforeAll(async () => {
  sshd = await startSshd();
  runner = await connect(sshd.target());
});

afterAll(async () => {
  await runner.close();
  await sshd.stop();
});

describe('a script on a real OpenSSH server', () => {
  test('reports exit code, standard output and standard error apart', async () => {
    const result = await runner.run('echo out; echo err >&2; exit 7');
    expect(result).toEqual({ code: 7, stdout: 'out\n', stderr: 'err\n' });
  });

  test('counts a signal as 128 plus its number', async () => {
    expect((await runner.run('kill -TERM $$')).code).toBe(143);
  });

  test('has a clean environment', async () => {
    const { stdout } = await runner.run('env | sort | grep -v -e ^PWD= -e ^SHLVL= -e ^_= -e ^OLDPWD=; umask; pwd');
    expect(stdout.split('\n')).toEqual([
      'HOME=' + (sshd.target().user === 'root' ? '/root' : process.env.HOME),
      'LC_ALL=C',
      ...(sshd.target().user === 'root' ? ['LOGNAME=root'] : []),
      'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      ...(sshd.target().user === 'root' ? ['USER=root'] : []),
      '0022',
      '/',
      '',
    ]);
  });

  test('receives its input unchanged, whatever its size', async () => {
    const payload = randomBytes(5_000_000);
    const { stdout } = await runner.run('wc -c; ', { stdin: payload });
    expect(stdout.trim()).toBe('5000000');
    const echoed = await runner.run('base64 -w0', { stdin: payload });
    expect(Buffer.from(echoed.stdout, 'base64').equals(payload)).toBe(true);
  });

  test('may leave its input unread', async () => {
    expect((await runner.run('echo done', { stdin: randomBytes(8_000_000) })).stdout).toBe('done\n');
  });

  test('runs twenty at once', async () => {
    const results = await Promise.all(Array.from({ length: 20 }, (_, i) => runner.run(`echo ${i}`)));
    expect(results.map(({ stdout }) => stdout.trim())).toEqual(Array.from({ length: 20 }, (_, i) => String(i)));
  });

  test('is ended with its children when its time is over', async () => {
    const mark = `9${Math.floor(Math.random() * 1e8)}`;
    await expect(runner.run(`sleep ${mark} & sleep ${mark}`, { timeoutMs: 500 })).rejects.toMatchObject({
      code: 'REMOTE_TIMEOUT',
      category: 'failed',
    });
    const { stdout } = await runner.run(`ps -eo args | grep -c '[s]leep ${mark}'`);
    expect(stdout.trim()).toBe('0');
  });

  test('converses in a session', async () => {
    const lines: string[] = [];
    let greeted!: () => void;
    const greeting = new Promise<void>((resolve) => (greeted = resolve));
    const session = runner.open('echo hello; while read -r line; do echo "got $line"; done; exit 3', {
      onLine: (line) => {
        lines.push(line);
        greeted();
      },
    });
    await greeting;
    session.writeLine('one');
    session.writeLine('two');
    session.end();
    expect(await session.done).toMatchObject({ code: 3 });
    expect(lines).toEqual(['hello', 'got one', 'got two']);
  });
});
