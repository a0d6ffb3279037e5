import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { readReport, stepsBatch, type Report } from '../../../src/engine/batch.ts';
import { RUN, VAR } from '../../../src/engine/state.ts';
import type { Action, Step } from '../../../src/engine/step.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'slipway-batch-'));
  for (const directory of ['run/running', 'var/before', 'etc']) mkdirSync(join(root, directory), { recursive: true });
  writeFileSync(join(root, 'run/token'), 'this-run\n');
});
afterEach(() => rmSync(root, { recursive: true }));

const owner = `${process.getuid!()}:${process.getgid!()}`;

function step(id: string, action: Action): Step {
  return { id, host: 'h', phase: 'p', words: id, reason: 'missing', lane: 'main', needs: [], action };
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
  { shell = 'sh', as = 'this-run', lost = 0 } = {},
): Promise<{ reports: Report[]; code: number }> {
  const batch = await stepsBatch(
    actions.map((action, i) => step(`s${i}`, action)),
    { run: as, token: 'tok', bytes: async (ref) => Buffer.from(`bytes of ${ref}`) },
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
    expect(readFileSync(join(root, 'var/journal.ndjson'), 'utf8')).toBe('{"run":"this-run","step":"s0","result":"failed"}\n');
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
