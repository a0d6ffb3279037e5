import { execFileSync, spawnSync } from 'node:child_process';
import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { sha256 } from '../../../src/engine/actions/file.ts';
import { readReport, stepsBatch, type Report } from '../../../src/engine/batch.ts';
import { RUN, VAR } from '../../../src/engine/state.ts';
import type { Action, Step } from '../../../src/engine/step.ts';
import { stepOf } from '../../helpers/spelt.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'slipway-batch-'));
  for (const directory of ['run/running', 'var/before', 'etc']) mkdirSync(join(root, directory), { recursive: true });
  writeFileSync(join(root, 'run/token'), 'this-run\n');
});
afterEach(() => rmSync(root, { recursive: true }));

const owner = `${process.getuid!()}:${process.getgid!()}`;

function step(id: string, action: Action): Step {
  return stepOf({ id, host: 'h', phase: 'p', summary: id, reason: 'missing', lane: 'main', action });
}

const file = (path: string, text: string, mode = '0600'): Action => ({
  kind: 'file',
  path: join(root, path),
  mode,
  owner,
  content: { text },
});

/** Runs the script of a batch under a real shell, with the host's directories moved below a temporary one. */
async function run(
  actions: readonly Action[],
  { shell = 'sh', as = 'this-run', lost = 0, kept = true } = {},
): Promise<{ reports: Report[]; code: number }> {
  const batch = await stepsBatch(
    actions.map((action, i) => step(`s${i}`, action)),
    { run: as, token: 'tok', bytes: async (ref) => (kept ? Buffer.from(`bytes of ${ref}`) : undefined) },
  );
  const input = batch.stdin as Buffer;
  const script = batch.script.replaceAll(RUN, join(root, 'run')).replaceAll(VAR, join(root, 'var'));
  const { stdout, status } = spawnSync(shell, ['-c', script], { input: input.subarray(0, input.length - lost), encoding: 'utf8' });
  return {
    reports: stdout
      .split('\n')
      .filter(Boolean)
      .map((line) => readReport(line, 'tok')),
    code: status ?? 255,
  };
}

const outcomes = (reports: readonly Report[]): string[] =>
  reports.flatMap((report) => (report.kind === 'output' ? [] : [`${report.kind} ${report.index}`]));

describe.each(['dash', 'bash'])('a batch of steps under %s', (shell) => {
  test('writes files with their final mode and exact bytes, in order, and reports each', async () => {
    const awkward = `first\n$(not run) 'quotes' "and" \\ backslash\n\nno end`;
    const { reports } = await run(
      [{ kind: 'directory', path: join(root, 'etc/d'), mode: '0750', owner }, file('etc/d/a', awkward), file('etc/d/b', 'two\n', '0640')],
      { shell },
    );
    expect(outcomes(reports)).toEqual(['started 0', 'done 0', 'started 1', 'done 1', 'started 2', 'done 2']);
    expect(readFileSync(join(root, 'etc/d/a'), 'utf8')).toBe(awkward);
    expect(readFileSync(join(root, 'etc/d/b'), 'utf8')).toBe('two\n');
    expect(statSync(join(root, 'etc/d')).mode & 0o777).toBe(0o750);
    expect(statSync(join(root, 'etc/d/a')).mode & 0o777).toBe(0o600);
    expect(statSync(join(root, 'etc/d/b')).mode & 0o777).toBe(0o640);
  });

  test('stops at the first failure, says which, and keeps what the step said', async () => {
    const { reports } = await run([{ kind: 'script', script: 'echo about to fail; false; echo not reached' }, file('etc/never', 'x')], {
      shell,
    });
    expect(outcomes(reports)).toEqual(['started 0', 'failed 0']);
    expect(reports).toContainEqual({ kind: 'output', text: 'about to fail' });
    expect(reports).not.toContainEqual({ kind: 'output', text: 'not reached' });
    expect(existsSync(join(root, 'etc/never'))).toBe(false);
    expect(readFileSync(join(root, 'var/journal.ndjson'), 'utf8')).toBe(
      ['started', 'failed'].map((result) => `{"run":"this-run","step":"s0","result":"${result}"}\n`).join(''),
    );
  });

  test('writes nothing when its input does not arrive whole, and leaves nothing of it behind', async () => {
    const { reports, code } = await run([file('etc/a', 'first\n'), file('etc/b', 'second\n')], { shell, lost: 1 });
    expect(outcomes(reports)).toEqual([]);
    expect(code).toBe(1);
    expect(readdirSync(join(root, 'etc'))).toEqual([]);
    expect(readdirSync(join(root, 'run')).sort()).toEqual(['running', 'steps', 'token']);
  });

  test('keeps what was there before the first write, once', async () => {
    writeFileSync(join(root, 'etc/theirs'), 'theirs');
    await run([file('etc/theirs', 'ours')], { shell });
    await run([file('etc/theirs', 'ours again')], { shell });
    expect(readFileSync(join(root, 'etc/theirs'), 'utf8')).toBe('ours again');
    expect(readFileSync(join(root, 'var/before/files', root, 'etc/theirs'), 'utf8')).toBe('theirs');
    expect(readFileSync(join(root, 'var/owned'), 'utf8')).toBe(`${join(root, 'etc/theirs')}\n`);
  });

  describe('with bytes that only the host has', () => {
    const key = (): Action => ({ ...file('etc/key', ''), content: { ref: 'key:h/k', sha256: sha256('secret') } }) as Action;

    test('puts mode and owner back, and leaves other names of the file alone', async () => {
      writeFileSync(join(root, 'etc/key'), 'secret', { mode: 0o644 });
      linkSync(join(root, 'etc/key'), join(root, 'etc/other'));
      const { reports } = await run([key(), file('etc/next', 'next')], { shell, kept: false });
      expect(outcomes(reports)).toEqual(['started 0', 'done 0', 'started 1', 'done 1']);
      expect([readFileSync(join(root, 'etc/key'), 'utf8'), statSync(join(root, 'etc/key')).mode & 0o777]).toEqual(['secret', 0o600]);
      expect(statSync(join(root, 'etc/other')).mode & 0o777).toBe(0o644);
      expect(readFileSync(join(root, 'etc/next'), 'utf8')).toBe('next');
    });

    test.each<[string, () => void]>([
      ['other bytes', () => writeFileSync(join(root, 'etc/key'), 'another')],
      ['a link', () => (writeFileSync(join(root, 'etc/away'), 'secret'), symlinkSync('away', join(root, 'etc/key')))],
      ['nothing', () => undefined],
    ])('fails over %s, and leaves nothing behind', async (_, make) => {
      make();
      const before = readdirSync(join(root, 'etc'));
      const { reports } = await run([key()], { shell, kept: false });
      expect(outcomes(reports)).toEqual(['started 0', 'failed 0']);
      expect(reports).toContainEqual({
        kind: 'output',
        text: `${join(root, 'etc/key')} has changed meanwhile: run the same command again`,
      });
      expect(readdirSync(join(root, 'etc'))).toEqual(before);
    });
  });

  test('puts things of another kind right where it had put its own, and only there', async () => {
    const actions = (): Action[] => [
      file('etc/file', 'ours'),
      { kind: 'link', path: join(root, 'etc/link'), target: 'file' },
      { kind: 'directory', path: join(root, 'etc/directory'), mode: '0755', owner },
    ];
    await run(actions(), { shell });
    for (const name of ['file', 'link']) {
      rmSync(join(root, 'etc', name));
      mkdirSync(join(root, 'etc', name));
    }
    rmSync(join(root, 'etc/directory'), { recursive: true });
    symlinkSync('file', join(root, 'etc/directory'));
    expect(outcomes((await run(actions(), { shell })).reports)).toEqual([
      'started 0',
      'done 0',
      'started 1',
      'done 1',
      'started 2',
      'done 2',
    ]);
    const found = ['file', 'link', 'directory'].map((name) => lstatSync(join(root, 'etc', name)));
    expect([found[0]!.isFile(), found[1]!.isSymbolicLink(), found[2]!.isDirectory()]).toEqual([true, true, true]);

    mkdirSync(join(root, 'etc/theirs'));
    const { reports } = await run([file('etc/theirs', 'ours')], { shell });
    expect(reports).toContainEqual({ kind: 'output', text: `${join(root, 'etc/theirs')} is a directory: move it away` });
    expect(readdirSync(join(root, 'etc')).sort()).toEqual(['directory', 'file', 'link', 'theirs']);
  });

  test('keeps a link to a directory where others keep their data', async () => {
    mkdirSync(join(root, 'etc/disk'));
    symlinkSync('disk', join(root, 'etc/data'));
    const directory = (name: string): Action => ({ kind: 'directory', path: join(root, 'etc', name), mode: '0700', owner, shared: true });
    await run([directory('data')], { shell });
    expect([lstatSync(join(root, 'etc/data')).isSymbolicLink(), statSync(join(root, 'etc/disk')).mode & 0o777]).toEqual([true, 0o700]);
    symlinkSync('not-mounted', join(root, 'etc/away'));
    expect(outcomes((await run([directory('away')], { shell })).reports)).toEqual(['started 0', 'failed 0']);
    expect(lstatSync(join(root, 'etc/away')).isSymbolicLink()).toBe(true);
  });

  test('swaps a link, also one that points elsewhere', async () => {
    symlinkSync('old', join(root, 'etc/link'));
    const { reports } = await run([{ kind: 'link', path: join(root, 'etc/link'), target: 'new' }], { shell });
    expect(outcomes(reports)).toEqual(['started 0', 'done 0']);
    expect(execFileSync('readlink', [join(root, 'etc/link')], { encoding: 'utf8' })).toBe('new\n');
  });

  test('does nothing when another run has taken the host over, or was told to stop', async () => {
    expect(outcomes((await run([file('etc/a', 'x')], { shell, as: 'an-older-run' })).reports)).toEqual(['displaced 0']);
    writeFileSync(join(root, 'run/stop'), '');
    expect(outcomes((await run([file('etc/a', 'x')], { shell })).reports)).toEqual(['stopped 0']);
    expect(existsSync(join(root, 'etc/a'))).toBe(false);
  });

  test('waits for a condition, and explains with its last words when it does not come true', async () => {
    const flag = join(root, 'etc/flag');
    const { reports } = await run(
      [
        { kind: 'script', script: `( sleep 0.3; : >${flag} ) </dev/null >/dev/null 2>&1 &` },
        { kind: 'wait', condition: `[ -e ${flag} ] || { echo no flag yet; exit 1; }`, timeoutSeconds: 20 },
        { kind: 'wait', condition: 'echo it never comes; exit 1', timeoutSeconds: 0 },
      ],
      { shell },
    );
    expect(outcomes(reports)).toEqual(['started 0', 'done 0', 'started 1', 'done 1', 'started 2', 'failed 2']);
    expect(reports).toContainEqual({ kind: 'output', text: 'it never comes' });
  });
});
