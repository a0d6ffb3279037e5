import { messageOf } from '../base/errors.ts';
import { askerFor, type Asker } from './asker.ts';
import { aborted, remoteError } from './errors.ts';
import { execute, type Execution, type Outcome } from './execute.ts';
import type { Runner, RunnerStats, RunOptions, RunResult } from './runner.ts';
import { commandLine, greetingCommandLine, newMarker } from './script.ts';
import { createSlots } from './slots.ts';
import { openSession } from './session.ts';
import { findRights, refusedError, type Rights } from './sudo.ts';
import type { Prompts, Target } from './target.ts';
import { dial, type Channel, type Link } from './transport.ts';

/** Something worth a line in the log. Holds neither script text nor input nor output. */
export interface RemoteLogEntry {
  host: string;
  level: 'debug' | 'warn';
  message: string;
}

export interface ConnectOptions {
  prompts?: Prompts | undefined;
  signal?: AbortSignal | undefined;
  log?: ((entry: RemoteLogEntry) => void) | undefined;
  /** Default: every 10 s, lost after 3 without an answer. */
  keepalive?: { intervalMs: number; count: number } | undefined;
}

/** sshd allows 10 sessions on a connection (MaxSessions); some are left for ending scripts that are given up. */
const maxChannels = 6;
const endingTimeoutMs = 10_000;
const greetingTimeoutMs = 60_000;

/**
 * Connects to a host: verifies its key, logs in, and makes sure that scripts can become root, so that everything that can be refused
 * is refused before anything is changed. Rejects with REMOTE_UNREACHABLE, HOST_KEY_*, AUTH_*, KEY_*, SUDO_*, LOGIN_SHELL_REFUSED, ABORTED.
 */
export async function connect(target: Target, options: ConnectOptions = {}): Promise<Runner> {
  const asker = askerFor(options.prompts);
  const hops: Link[] = [];
  try {
    for (const hop of [...target.jump, target]) {
      hops.push(
        await dial(hop, {
          asker,
          via: hops.at(-1),
          signal: options.signal,
          warn: (message) => options.log?.({ host: hop.name, level: 'warn', message }),
          keepalive: options.keepalive ?? { intervalMs: 10_000, count: 3 },
        }),
      );
    }
    return await createRunner(target, hops, { asker, options });
  } catch (error) {
    await Promise.all(hops.reverse().map((hop) => hop.close()));
    throw error;
  }
}

async function createRunner(target: Target, hops: readonly Link[], context: { asker: Asker; options: ConnectOptions }): Promise<Runner> {
  const link = hops.at(-1)!;
  const host = target.name;
  const stats: RunnerStats = { roundTrips: 0, bytesSent: 0, bytesReceived: 0 };
  const slots = createSlots(maxChannels);
  const debug = (message: string): void => context.options.log?.({ host, level: 'debug', message });

  /** Opens a channel; where the server allows fewer sessions than we thought, waits for one of ours to end. */
  const openChannel = async (command: string): Promise<{ channel: Channel; release: () => void }> => {
    for (;;) {
      const release = await slots.take();
      try {
        return { channel: await link.exec(command), release };
      } catch (error) {
        const others = slots.inUse() - 1;
        release();
        const gone = link.lost();
        if (gone !== undefined) throw gone;
        if (others === 0) {
          throw remoteError(host, 'REMOTE_SESSION_REFUSED', `${host} opens no session: ${messageOf(error)}`, {
            cause: error,
            hint: 'Check MaxSessions, ForceCommand and the limits (ulimit, PAM) of the user on the host.',
          });
        }
        slots.limitTo(others);
      }
    }
  };

  const start = async (script: string, rights: Rights, options: RunOptions): Promise<{ execution: Execution; release: () => void }> => {
    const marker = newMarker();
    const { channel, release } = await openChannel(commandLine(rights.become, marker));
    stats.roundTrips++;
    const { stdin, onLine } = options;
    const execution = execute(channel, script, { host, marker, password: rights.password, stdin, onLine, stats });
    return { execution, release };
  };

  const settle = (outcome: Outcome, rights: Rights): RunResult => {
    if (outcome.kind === 'done') return outcome.result;
    throw refusedError(target, { code: outcome.code, text: outcome.text, sudo: rights.become.startsWith('sudo') });
  };

  /** Ends the script's process group over another channel; tells whether the host confirmed it. */
  const endGroup = async (execution: Execution, rights: Rights): Promise<boolean> => {
    const group = execution.started()?.group ?? 0;
    if (group <= 1) return false;
    const script = `kill -s TERM -- -${group} 2>/dev/null || exit 0
i=0; while [ $i -lt 20 ]; do kill -s 0 -- -${group} 2>/dev/null || exit 0; sleep 0.1; i=$((i+1)); done
kill -s KILL -- -${group}`;
    const marker = newMarker();
    try {
      const channel = await link.exec(commandLine(rights.become, marker));
      const ending = execute(channel, script, { host, marker, password: rights.password, stats });
      const timer = setTimeout(() => ending.abandon(), endingTimeoutMs);
      const outcome = await ending.outcome.finally(() => clearTimeout(timer));
      return outcome.kind === 'done';
    } catch {
      return false;
    }
  };

  const run = async (script: string, rights: Rights, options: RunOptions): Promise<RunResult> => {
    const timeoutMs = options.timeoutMs ?? 60_000;
    if (options.signal?.aborted === true) throw aborted(host);
    const begin = performance.now();
    const { execution, release } = await start(script, rights, options);
    const settled = execution.outcome.then(
      () => {},
      () => {},
    );
    void settled.then(release);
    let timer: NodeJS.Timeout | undefined;
    let onAbort: (() => void) | undefined;
    const givenUp = new Promise<'timeout' | 'abort'>((resolve) => {
      timer = setTimeout(() => resolve('timeout'), timeoutMs);
      onAbort = () => resolve('abort');
      options.signal?.addEventListener('abort', onAbort, { once: true });
      if (options.signal?.aborted === true) onAbort();
    });
    try {
      const first = await Promise.race([
        execution.outcome,
        givenUp,
        execution.inputFailed.catch((error: unknown) => ({ inputError: error })),
      ]);
      if (typeof first === 'object' && 'kind' in first) {
        const result = settle(first, rights);
        debug(`script of ${script.length} characters: exit code ${result.code} after ${Math.round(performance.now() - begin)} ms`);
        return result;
      }
      const ended = await endGroup(execution, rights);
      execution.abandon();
      const left = ended ? 'its processes were ended' : 'its processes may still be running';
      debug(`script of ${script.length} characters given up; ${left}`);
      if (first === 'abort') throw aborted(host);
      if (first === 'timeout') {
        throw remoteError(host, 'REMOTE_TIMEOUT', `a script on ${host} did not end within ${timeoutMs / 1000} s; ${left}`, {
          category: 'failed',
          hint: 'See on the host what it waited for (load, disk, locks of the package manager), then run the same command again.',
        });
      }
      throw remoteError(host, 'REMOTE_INPUT_FAILED', `what was to be sent to ${host} could not be read: ${messageOf(first.inputError)}`, {
        category: 'failed',
        cause: first.inputError,
      });
    } finally {
      clearTimeout(timer);
      options.signal?.removeEventListener('abort', onAbort!);
    }
  };

  /** A greeting that is not answered in time counts as refused: sudo or PAM may hang on a network service. */
  const greet = async (rights: Rights): Promise<void> => {
    const marker = newMarker();
    const channel = await link.exec(greetingCommandLine(rights.become, marker));
    const execution = execute(channel, undefined, { host, marker, password: rights.password, stats });
    const timer = setTimeout(() => channel.close(), greetingTimeoutMs);
    settle(await execution.outcome.finally(() => clearTimeout(timer)), rights);
  };

  const rights = await findRights(target, context.asker, greet);
  debug(`logged in as ${target.user}; scripts run as ${rights.become}`);
  const rightsFor = (options: { asLoginUser?: boolean | undefined }): Rights =>
    options.asLoginUser === true ? { become: 'login-user', password: undefined } : rights;

  return {
    host,
    stats,
    run: (script, options = {}) => run(script, rightsFor(options), options),
    open: (script, options = {}) =>
      openSession(
        (stdin) => start(script, rights, { ...options, stdin }),
        (outcome) => settle(outcome, rights),
      ),
    close: async () => {
      for (const hop of [...hops].reverse()) await hop.close();
    },
  };
}
