import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { isSlipwayError, type SlipwayError } from '../../../src/base/errors.ts';
import { connect, type ConnectOptions, type RemoteLogEntry } from '../../../src/remote/connect.ts';
import type { Runner } from '../../../src/remote/runner.ts';
import type { Prompts, Target } from '../../../src/remote/target.ts';
import { startSshServer, type SshServer } from '../../helpers/ssh-server.ts';
import { startSudoHost, type SudoHost } from '../../helpers/sudo-host.ts';

const runners: Runner[] = [];

afterEach(() => Promise.all(runners.splice(0).map((runner) => runner.close())));

async function login(target: Target, options: ConnectOptions = {}): Promise<Runner> {
  const runner = await connect(target, options);
  runners.push(runner);
  return runner;
}

async function refusal(target: Target, options: ConnectOptions = {}): Promise<SlipwayError> {
  const error = await login(target, options).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!isSlipwayError(error)) throw new Error(`not refused: ${String(error)}`);
  return error;
}

type Question = Parameters<Prompts['secret']>[0];

function person(password: string | undefined): Prompts & { questions: Question[] } {
  const questions: Question[] = [];
  return {
    questions,
    secret: async (question) => {
      questions.push(question);
      return password;
    },
    hostKey: async () => false,
  };
}

const password = 'correct horse $HOME "quoted"';
const wanted = { kind: 'sudo-password', host: 'host-1' };

describe('the sudo of this machine', () => {
  let host: SudoHost;

  beforeAll(async () => {
    host = await startSudoHost(
      ['free', 'paying', 'stranger', 'terminal', 'global', 'boxed', 'logged']
        .map((name) => ({ name, password }))
        .concat([{ name: 'expired', password, aging: '19000:0:99999:7::19001:' } as never]),
      [
        'Defaults secure_path="/usr/sbin:/usr/bin:/sbin:/bin"',
        'Defaults lecture=always',
        'Defaults:terminal requiretty',
        'Defaults:global timestamp_type=global',
        'Defaults:boxed use_pty',
        'Defaults:logged log_input,log_output,iolog_dir=/run/sudo/io',
        'root ALL=(ALL:ALL) ALL',
        'free ALL=(ALL:ALL) NOPASSWD: ALL',
        'paying,global,boxed,logged,expired ALL=(ALL:ALL) ALL',
        'terminal ALL=(ALL:ALL) NOPASSWD: ALL',
      ],
    );
  });

  afterAll(() => host.stop());

  test('without a password runs scripts as root in a clean environment, and asks nobody', async () => {
    const prompts = person(password);
    const runner = await login(host.target('free'), { prompts });
    const { stdout } = await runner.run('id -u; env | sort | grep -v -e ^PWD= -e ^SHLVL= -e ^_= -e ^OLDPWD=');
    expect(stdout.split('\n')).toEqual([
      '0',
      'HOME=/root',
      'LC_ALL=C',
      'LOGNAME=root',
      'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      'USER=root',
      '',
    ]);
    expect(prompts.questions).toEqual([]);
  });

  test('can be left aside for one script', async () => {
    const runner = await login(host.target('free'));
    expect((await runner.run('id -un', { asLoginUser: true })).stdout).toBe('free\n');
  });

  test.each(['paying', 'global', 'boxed'])('with a password (user %s) asks once, and runs scripts and payloads unchanged', async (user) => {
    const prompts = person(password);
    const runner = await login(host.target(user), { prompts });
    expect(await runner.run('id -u; echo err >&2; exit 5')).toEqual({ code: 5, stdout: '0\n', stderr: 'err\n' });
    const payload = randomBytes(1_000_000);
    const echoed = await runner.run('base64 -w0', { stdin: payload });
    expect(Buffer.from(echoed.stdout, 'base64').equals(payload)).toBe(true);
    const results = await Promise.all(Array.from({ length: 8 }, (_, i) => runner.run(`echo ${i}`)));
    expect(results.map(({ stdout }) => stdout)).toEqual(Array.from({ length: 8 }, (_, i) => `${i}\n`));
    expect(prompts.questions).toEqual([{ ...wanted, subject: `${user}@host-1` }]);
  });

  test('that logs input and output may lose the end of a long output: that is an error, never a short result', async () => {
    const runner = await login(host.target('logged'), { prompts: person(password) });
    expect((await runner.run('echo short')).stdout).toBe('short\n');
    for (let i = 0; i < 10; i++) {
      const length = await runner.run('yes | head -c 2000000').then(
        ({ stdout }) => stdout.length,
        (error: unknown) => (isSlipwayError(error) && error.code === 'REMOTE_OUTPUT_LOST' ? 'refused' : String(error)),
      );
      expect([2_000_000, 'refused']).toContain(length);
    }
  });

  test('holds a session and ends it', async () => {
    const runner = await login(host.target('paying'), { prompts: person(password) });
    const lines: string[] = [];
    let got!: () => void;
    const answered = new Promise<void>((resolve) => (got = resolve));
    const session = runner.open('while read -r line; do echo "$(id -u) $line"; done', {
      onLine: (line) => {
        lines.push(line);
        got();
      },
    });
    session.writeLine('hello');
    await answered;
    session.end();
    expect(await session.done).toMatchObject({ code: 0 });
    expect(lines).toEqual(['0 hello']);
  });

  test.each(['free', 'paying', 'boxed'])('ends a script that takes too long, with its children (user %s)', async (user) => {
    const runner = await login(host.target(user), { prompts: person(password) });
    await expect(runner.run('sleep 7201 & sleep 7202', { timeoutMs: 400 })).rejects.toMatchObject({ code: 'REMOTE_TIMEOUT' });
    expect((await runner.run('ps -eo stat,args | grep "[s]leep 720" | grep -v ^Z')).stdout).toBe('');
  });

  test('with a wrong password is one error, after one try, before anything ran', async () => {
    const error = await refusal(host.target('paying'), { prompts: person('wrong') });
    expect(error).toMatchObject({ code: 'SUDO_PASSWORD_WRONG', category: 'unreachable', where: { host: 'host-1' } });
    expect(error.evidence).toMatch(/1 incorrect password attempt|no password was provided/);
  });

  test('with a password and nobody to ask is told', async () => {
    const error = await refusal(host.target('paying'));
    expect(error).toMatchObject({ code: 'SUDO_PASSWORD_NEEDED', hint: expect.stringContaining('NOPASSWD') });
  });

  test('that does not list the user is told', async () => {
    expect(await refusal(host.target('stranger'), { prompts: person(password) })).toMatchObject({ code: 'SUDO_NOT_ALLOWED' });
  });

  test('that wants a terminal is told', async () => {
    expect(await refusal(host.target('terminal'))).toMatchObject({
      code: 'SUDO_REQUIRES_TTY',
      hint: expect.stringContaining('!requiretty'),
    });
  });

  test('with an expired account is told', async () => {
    const error = await refusal(host.target('expired'), { prompts: person(password) });
    expect(['SUDO_ACCOUNT_UNUSABLE', 'AUTH_REFUSED']).toContain(error.code);
  });

  test('never shows a password in a process list, an environment or the log', async () => {
    const entries: RemoteLogEntry[] = [];
    const runner = await login(host.target('paying'), { prompts: person(password), log: (entry) => entries.push(entry) });
    const { stdout } = await runner.run(`ps -eww -o args; cat /proc/[0-9]*/environ | tr '\\0' '\\n'`);
    expect(stdout).toContain('sudo -k -S');
    expect(stdout).not.toContain('correct horse');
    expect(JSON.stringify(entries)).not.toContain('correct horse');
  });
});

describe('sudos that say it differently', () => {
  let server: SshServer | undefined;

  afterEach(() => server?.stop());

  const withSudo = async (text: string, changes: Partial<Target> = {}): Promise<Target> => {
    server = await startSshServer({ commands: { sudo: `#!/bin/sh\n${text}\n` } });
    return server.target({ become: 'sudo', ...changes });
  };

  test.each([
    ['SUDO_REQUIRES_TTY', 'echo "sudo: sorry, you must have a tty to run sudo" >&2; exit 1'],
    ['SUDO_NOT_ALLOWED', 'echo "admin is not in the sudoers file.  This incident will be reported." >&2; exit 1'],
    ['SUDO_NOT_ALLOWED', `echo "Sorry, user admin is not allowed to execute '/usr/bin/env' as root on h." >&2; exit 1`],
    ['SUDO_NOT_ALLOWED', `echo "sudo: I'm sorry admin. I'm afraid I can't do that" >&2; exit 1`],
    ['SUDO_ACCOUNT_UNUSABLE', 'echo "sudo: account validation failure, is your account locked?" >&2; exit 1'],
    ['SUDO_ACCOUNT_UNUSABLE', 'echo "sudo: Account or password is expired, reset your password and try again" >&2; exit 1'],
    ['SUDO_PASSWORD_NEEDED', 'echo "sudo: a password is required" >&2; exit 1'],
    ['SUDO_PASSWORD_NEEDED', 'echo "sudo: interactive authentication is required" >&2; exit 1'],
    ['SUDO_BROKEN', 'echo "sudo: /usr/bin/sudo must be owned by uid 0 and have the setuid bit set" >&2; exit 1'],
    ['SUDO_BROKEN', `echo 'sudo: The "no new privileges" flag is set, which prevents sudo from running as root.' >&2; exit 1`],
    ['SUDO_MISSING', 'echo "env: ‘sudo’: No such file or directory" >&2; exit 127'],
    ['SUDO_FAILED', 'echo "sudo: unable to open audit system" >&2; exit 1'],
  ])('give %s', async (code, text) => {
    const error = await refusal(await withSudo(text));
    expect(error).toMatchObject({ code, category: 'unreachable', hint: expect.any(String), evidence: expect.any(String) });
  });

  test.each(['Sorry, try again.', 'sudo: Authentication failed, try again.'])(
    'give SUDO_PASSWORD_WRONG when they say "%s"',
    async (again) => {
      const target = await withSudo(`[ "$1" = -n ] && { echo "sudo: a password is required" >&2; exit 1; }
tries=0
while IFS= read -r line; do echo '${again}' >&2; tries=$((tries+1)); [ $tries = 3 ] && break; done
echo "sudo: $tries incorrect password attempts" >&2
exit 1`);
      const error = await refusal(target, { prompts: person('wrong') });
      expect(error).toMatchObject({ code: 'SUDO_PASSWORD_WRONG' });
      expect(error.evidence).toContain('1 incorrect password attempts');
      expect(JSON.stringify(error)).not.toContain('"wrong"');
    },
  );

  test('a password that sudo did not ask for is not run as a command', async () => {
    // Asks at first, then finds a ticket: the password line stays on standard input.
    const target = await withSudo(`[ "$1" = -n ] && { echo "sudo: a password is required" >&2; exit 1; }\nshift 2; exec "$@"`);
    const runner = await login(target, { prompts: person('touch must-not-run; false') });
    expect(await runner.run('echo ok; ls must-not-run')).toMatchObject({ stdout: 'ok\n' });
  });

  test('a lecture and prompts before the script are not part of its output', async () => {
    const target = await withSudo(`echo "We trust you have received the usual lecture" >&2; echo "Password: " >&2; shift; exec "$@"`);
    const runner = await login(target);
    expect(await runner.run('echo hi; echo err >&2')).toEqual({ code: 0, stdout: 'hi\n', stderr: 'err\n' });
  });

  test('none is used when nothing is to become', async () => {
    const target = await withSudo('exit 1', { become: 'none' });
    expect((await (await login(target)).run('echo hi')).stdout).toBe('hi\n');
  });

  test('none is used when root logs in, whatever become says', async () => {
    server = await startSshServer({ user: 'root', commands: { sudo: '#!/bin/sh\nexit 1\n' } });
    const runner = await login(server.target({ become: 'sudo' }));
    expect((await runner.run('echo hi')).stdout).toBe('hi\n');
    expect(server.commands.join()).not.toContain('sudo');
  });
});
