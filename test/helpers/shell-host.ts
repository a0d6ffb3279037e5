import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { createInterface } from 'node:readline';
import { OPT, RUN, VAR } from '../../src/engine/state.ts';
import { connectionLost } from '../../src/remote/errors.ts';
import type { Runner, RunOptions, RunResult } from '../../src/remote/runner.ts';

export interface ShellHost extends Runner {
  /** Where the host's own directories lie on this machine. */
  root: string;
  /**
   * Scripts end with the connection, at once; with `told`, only after they have said all that they had to say. With `deaf` they go on, as on a real host,
   * with nobody left who listens.
   */
  loseConnection(when?: 'now' | 'told' | 'deaf'): void;
}

/** This machine as a host: scripts are run by a real shell, with the host's directories below `root`. `run`: the host is that run's, without a lock; `bin`: where commands are looked for first. */
export function shellHost(host: string, { root, run, bin }: { root: string; run?: string; bin?: string }): ShellHost {
  const directory = join(root, host);
  for (const name of ['run/running', 'var/before']) mkdirSync(join(directory, name), { recursive: true });
  if (run !== undefined) writeFileSync(join(directory, 'run/token'), `${run}\n`);
  const env = { ...process.env, PATH: `${bin === undefined ? '' : `${bin}:`}${process.env['PATH']}` };
  const stats = { roundTrips: 0, bytesSent: 0, bytesReceived: 0 };
  const children = new Map<ChildProcess, (error: Error) => void>();
  let lost: 'now' | 'told' | 'deaf' | undefined;
  const gone = (): Error => connectionLost(host, new Error('read ECONNRESET'));

  const start = (script: string, onLine: RunOptions['onLine']): { child: ChildProcess; done: Promise<RunResult> } => {
    const moved = script
      .replaceAll(RUN, join(directory, 'run'))
      .replaceAll(VAR, join(directory, 'var'))
      .replaceAll(OPT, join(directory, 'opt'));
    const child = spawn('sh', ['-c', moved], { detached: true, stdio: 'pipe', env });
    stats.roundTrips++;
    let [stdout, stderr] = ['', ''];
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.stdin.on('error', () => {});
    const lines = createInterface({ input: child.stdout });
    lines.on('line', (line) => {
      stdout += `${line}\n`;
      onLine?.(line);
    });
    const done = new Promise<RunResult>((resolve, reject) => {
      children.set(child, reject);
      child.on('close', (code) => {
        children.delete(child);
        if (lost === undefined) resolve({ code: code ?? 255, stdout, stderr });
        else reject(gone());
      });
    });
    done.catch(() => {});
    return { child, done };
  };

  return {
    host,
    stats,
    root: directory,
    run: async (script, { onLine, stdin } = {}) => {
      if (lost === 'now' || lost === 'deaf') throw gone();
      const { child, done } = start(script, onLine);
      if (stdin instanceof Readable) stdin.pipe(child.stdin!);
      else child.stdin!.end(stdin);
      return done;
    },
    open: (script, { onLine } = {}) => {
      const { child, done } = start(script, onLine);
      return { writeLine: (line) => void child.stdin!.write(`${line}\n`), end: () => child.stdin!.end(), done };
    },
    loseConnection: (when = 'now') => {
      lost = when;
      if (when === 'told') return;
      for (const [child, reject] of children) {
        reject(gone());
        if (when === 'deaf') for (const stream of child.stdio) stream?.destroy();
        else process.kill(-child.pid!, 'SIGKILL');
      }
    },
    close: async () => {},
  };
}
