import { expect } from '@jest/globals';
import { appendFile, mkdtemp, rm } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { packageRoot } from '../../src/base/package-root.ts';
import { labExec } from '../../src/lab/index.ts';
import { requireHost, requireRecord } from '../../src/lab/record.ts';
import { onHost } from '../../src/lab/ssh.ts';

export interface Finished {
  exitCode: number;
  stdout: string;
  stderr: string;
}

/** A lab and the command line on it, as a user has them. */
export interface TestLab {
  name: string;
  directory: string;
  /** What every run of `slipway` gets beside the environment of the tests. */
  env: Record<string, string>;
  /** Runs `slipway` in the lab's directory, with nobody at the terminal. */
  slipway(...args: string[]): Promise<Finished>;
  /** The same; throws with all output unless it exits with 0. */
  ok(...args: string[]): Promise<Finished>;
  /** Runs a command on one host as root; throws unless it exits with 0. Returns what it printed, trimmed. */
  on(host: string, command: string): Promise<string>;
  /** Runs a command on every host; keyed by host. */
  everywhere(command: string): Promise<Record<string, string>>;
  kubectl(command: string): Promise<string>;
  down(): Promise<void>;
}

export interface TestLabOptions {
  hosts?: number;
  controlPlanes?: number;
  flags?: readonly string[];
  env?: Record<string, string>;
}

/** Shell text that prints everything that a refused run must not have touched since `touch /run/mark`. */
export const TOUCHED = `find /etc /opt /usr/local /var/lib -xdev -newer /run/mark -not -path '/var/lib/systemd/*' -not -path '/etc/ssh/*' 2>/dev/null; ls /var/lib/slipway /run/slipway 2>/dev/null || :`;

export const slipwayBin = join(packageRoot(), 'bin/slipway.js');

/** Runs the built command line in a directory. */
export async function slipwayIn(
  directory: string,
  args: readonly string[],
  options: { input?: string; env?: Record<string, string> } = {},
): Promise<Finished> {
  const { exitCode, stdout, stderr } = await execa(process.execPath, [slipwayBin, ...args], {
    cwd: directory,
    reject: false,
    ...(options.input === undefined ? { stdin: 'ignore' as const } : { input: options.input }),
    ...(options.env ? { env: options.env } : {}),
    timeout: 15 * 60_000,
  });
  return { exitCode: exitCode ?? 255, stdout: String(stdout), stderr: String(stderr) };
}

/** What a failed run said, its end before all of it: a report that keeps only so many lines of a failure still has the reason. */
function reasonFirst({ stdout, stderr }: Finished): string {
  const end = stderr.trimEnd().split('\n').slice(-12).join('\n');
  return `${end}\n\nin full:\n${stdout}\n${stderr}`;
}

/** Another checkout's tests on the same machine have labs of their own; what a killed run of this one left is found again. */
export const labName = (name: string): string => `t-${name}-${createHash('sha256').update(packageRoot()).digest('hex').slice(0, 4)}`;

/** Makes fresh hosts under a name of their own, so that tests never meet a lab of the user's. */
export async function testLab(name: string, { hosts = 3, controlPlanes = 1, flags = [], env = {} }: TestLabOptions = {}): Promise<TestLab> {
  const size = ['--hosts', String(hosts), '--control-planes', String(controlPlanes)];
  return labWith(labName(name), [...size, ...flags], env);
}

/** For the table at the end of a run. */
async function tellMade(what: 'lab' | 'restored' | 'installation'): Promise<void> {
  const file = process.env['SLIPWAY_TEST_MADE'];
  if (file !== undefined) await appendFile(file, `${expect.getState().testPath} ${what}\n`);
}

/** A lab of this name in a directory of its own, made by `lab up` with these arguments. What a killed test run left under the name is removed first. */
export async function labWith(lab: string, up: readonly string[], env: Record<string, string> = {}): Promise<TestLab> {
  const directory = await mkdtemp(join(tmpdir(), `slipway-${lab}-`));
  let installed = up.includes('--from');
  const slipway = async (...args: string[]): Promise<Finished> => {
    const finished = await slipwayIn(directory, args, { env });
    if (!installed && args[0] === 'apply' && finished.exitCode === 0) {
      installed = true;
      await tellMade('installation');
    }
    return finished;
  };
  const ok = async (...args: string[]): Promise<Finished> => {
    const finished = await slipway(...args);
    if (finished.exitCode !== 0) throw new Error(`slipway ${args.join(' ')} exited with ${finished.exitCode}\n${reasonFirst(finished)}`);
    return finished;
  };
  const everywhere = async (command: string): Promise<Record<string, string>> => {
    const result = await labExec({ name: lab, command });
    return Object.fromEntries(
      result.hosts.map(({ name: host, exitCode, stdout, stderr }) => {
        if (exitCode !== 0) throw new Error(`${host}: ${command} exited with ${exitCode}\n${stdout}\n${stderr}`);
        return [host, stdout.trim()];
      }),
    );
  };
  await ok('lab', 'down', '--name', lab);
  await ok('lab', 'up', '--name', lab, ...up);
  await tellMade(up.includes('--from') ? 'restored' : 'lab');
  const on = async (host: string, command: string): Promise<string> => {
    const record = await requireRecord(lab);
    const { exitCode, stdout, stderr } = await onHost(record, requireHost(record, host), { command });
    if (exitCode !== 0) throw new Error(`${host}: ${command} exited with ${exitCode}\n${stdout}\n${stderr}`);
    return stdout.trim();
  };
  return {
    name: lab,
    directory,
    env,
    slipway,
    ok,
    on,
    everywhere,
    kubectl: (command) => on('cp-1', `/opt/slipway/bin/kubectl --kubeconfig=/etc/kubernetes/admin.conf ${command}`),
    down: async () => {
      await ok('lab', 'down', '--name', lab);
      await rm(directory, { recursive: true, force: true });
    },
  };
}
