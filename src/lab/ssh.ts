import { connect } from 'node:net';
import { join } from 'node:path';
import { execa } from 'execa';
import { attempt, lastLines } from './command.ts';
import type { CommandResult } from './command.ts';
import { labRoot } from './paths.ts';
import type { LabHostRecord, LabRecord } from './record.ts';

export interface RemoteOptions {
  command: string;
  onLine?: ((line: string) => void) | undefined;
}

/** The words before a remote command: the lab's own key and host keys, nothing of the user's configuration. */
export function sshArguments(lab: LabRecord, host: LabHostRecord, user: string): string[] {
  const directory = join(labRoot(lab.name), 'ssh');
  const options = {
    IdentityFile: join(directory, 'id_ed25519'),
    IdentitiesOnly: 'yes',
    UserKnownHostsFile: join(directory, 'known_hosts'),
    GlobalKnownHostsFile: '/dev/null',
    StrictHostKeyChecking: 'yes',
    ConnectTimeout: '20',
    LogLevel: 'ERROR',
  };
  return ['-F', '/dev/null', ...Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`]), `${user}@${host.address}`];
}

/** Runs a shell command on a host as root. */
export async function onHost(lab: LabRecord, host: LabHostRecord, options: RemoteOptions): Promise<CommandResult> {
  return attempt('ssh', ['-o', 'BatchMode=yes', ...sshArguments(lab, host, 'root'), options.command], { onLine: options.onLine });
}

/**
 * Logs in as the lab's user and out again: undefined, or why it failed. Looks for sshd's greeting first, which costs nothing while the host starts; but a
 * host that has taken the connection is waited for: on a slow one each that is given up keeps an sshd busy, until it lets nobody in any more.
 */
export async function login(lab: LabRecord, host: LabHostRecord): Promise<string | undefined> {
  if (!(await greets(host.address, { connectMs: 200, greetMs: 30_000 }))) return 'sshd does not answer';
  const result = await attempt('ssh', ['-o', 'BatchMode=yes', ...sshArguments(lab, host, lab.user), 'true']);
  return result.exitCode === 0 ? undefined : lastLines(result.stderr, 1);
}

/** Whether an SSH server answers at the address within the time: until it takes the connection, and then until it greets. */
export async function greets(address: string, { connectMs = 1000, greetMs = 1000 } = {}): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port: 22 });
    const finish = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(connectMs, () => {
      finish(false);
    });
    socket.once('connect', () => {
      socket.setTimeout(greetMs);
    });
    socket.once('data', (data) => {
      finish(data.toString('latin1').startsWith('SSH-'));
    });
    for (const event of ['error', 'close']) {
      socket.once(event, () => {
        finish(false);
      });
    }
  });
}

/** An interactive session on this terminal; returns its exit code. */
export async function session(lab: LabRecord, host: LabHostRecord, command?: string): Promise<number> {
  const result = await execa('ssh', [...sshArguments(lab, host, lab.user), ...(command === undefined ? [] : ['-t', command])], {
    reject: false,
    stdio: 'inherit',
  });
  return result.exitCode ?? 255;
}
