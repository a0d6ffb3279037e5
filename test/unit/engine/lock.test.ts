import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { takeLock } from '../../../src/engine/lock.ts';
import { RUN, VAR } from '../../../src/engine/state.ts';
import type { RunResult, Runner } from '../../../src/remote/runner.ts';

let root: string;
let left: ChildProcess;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'slipway-lock-'));
  left = spawn('sleep', ['60'], { detached: true });
});
afterEach(() => {
  left.kill('SIGKILL');
  rmSync(root, { recursive: true });
});

/** This machine as a host, with the host's directories moved below a temporary one. */
const runner = {
  host: 'h',
  open(script: string, { onLine }: { onLine: (line: string) => void }) {
    const child = spawn('sh', ['-c', script.replaceAll(RUN, join(root, 'run')).replaceAll(VAR, join(root, 'var'))]);
    createInterface({ input: child.stdout }).on('line', onLine);
    const done = new Promise<RunResult>((resolve) => child.on('close', (code) => resolve({ code: code ?? 255, stdout: '', stderr: '' })));
    return { done, writeLine: (line: string) => child.stdin.write(`${line}\n`), end: () => child.stdin.end() };
  },
} as unknown as Runner;

/** Field 22 of proc_pid_stat(5). */
const startOf = (pid: number): string => readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ')[21]!;

async function lockWithRecord(record: string): Promise<void> {
  mkdirSync(join(root, 'run/running'), { recursive: true });
  writeFileSync(join(root, 'run/running/1'), `${record}\n`);
  const lock = await takeLock(runner, { run: 'r', operator: 'o@m', verb: 'apply', since: '2026-01-01T00:00:00Z' });
  await lock.release();
}

test('ends what a lost run has left running', async () => {
  const ended = new Promise((resolve) => left.on('exit', (_, signal) => resolve(signal)));
  await lockWithRecord(`${left.pid!} end ${startOf(left.pid!)}`);
  expect(await ended).toBe('SIGTERM');
});

test('spares a package manager, and a process of somebody else that has the number of a group that ended', async () => {
  await lockWithRecord(`${left.pid!} wait ${startOf(left.pid!)}`);
  await lockWithRecord(`${left.pid!} end 1`);
  // Signals of one sender come in their order: had the others been sent, this one would not be what ended it.
  left.kill('SIGUSR1');
  expect(await new Promise((resolve) => left.on('exit', (_, signal) => resolve(signal)))).toBe('SIGUSR1');
});
