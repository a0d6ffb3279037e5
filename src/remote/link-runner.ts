import { Readable } from 'node:stream';
import type { SlipwayError } from '../base/errors.ts';
import { onAbort } from './abort.ts';
import type { Asker } from './asker.ts';
import { aborted, remoteError } from './errors.ts';
import type { Runner, RunnerStats, RunOptions, RunResult } from './runner.ts';
import { openSession } from './session.ts';
import type { Outcome, RemoteShell } from './shell.ts';
import { createShells } from './shells.ts';
import { findRights, refusedError, type Rights } from './sudo.ts';
import type { Target } from './target.ts';
import type { Link } from './transport.ts';

/** Something worth a line in the log. Holds neither script text nor input nor output. */
export interface RemoteLogEntry {
  host: string;
  level: 'debug' | 'warn';
  message: string;
}

export interface LinkRunnerOptions {
  asker: Asker;
  signal?: AbortSignal | undefined;
  log?: ((entry: RemoteLogEntry) => void) | undefined;
}

const endingTimeoutMs = 10_000;
/** How long login shell, PAM and sudo together may take. */
const shellTimeoutMs = 60_000;
const loginUser: Rights = { become: 'login-user', password: undefined };

/**
 * The runner of an authenticated connection. Makes sure first that scripts can become root, so that everything that can be refused is
 * refused before anything is changed. Rejects with SUDO_*, LOGIN_SHELL_REFUSED, REMOTE_SESSION_REFUSED, REMOTE_CONNECTION_LOST, ABORTED.
 */
export async function createLinkRunner(link: Link, context: LinkRunnerOptions): Promise<Runner> {
  const target = link.target;
  const host = target.name;
  const stats: RunnerStats = { roundTrips: 0, bytesSent: 0, bytesReceived: 0 };
  const shells = createShells(link, stats);
  const debug = (message: string): void => context.log?.({ host, level: 'debug', message });

  const settle = (outcome: Outcome, rights: Rights): RunResult => {
    if (outcome.kind === 'done') return outcome.result;
    if (outcome.kind === 'cut') throw outputLost(target, outcome.code);
    throw refusedError(target, { code: outcome.code, text: outcome.text, sudo: rights.become.startsWith('sudo') });
  };

  /** Waits until a shell has come up, or throws why it did not. */
  const cameUp = async (shell: RemoteShell, rights: Rights): Promise<void> => {
    const interrupted = interruption(host, context.signal);
    let timer: NodeJS.Timeout | undefined;
    const silent = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(noShell(link, rights)), shellTimeoutMs);
    });
    try {
      if (await Promise.race([shell.ready, silent, interrupted.fired])) return;
      settle(await shell.outcome, rights);
    } catch (error) {
      shell.abandon();
      throw error;
    } finally {
      clearTimeout(timer);
      interrupted.forget();
    }
  };

  const greet = async (rights: Rights): Promise<void> => {
    // With a password the input must end after it, or sudo would wait for a better one.
    if (rights.password !== undefined) await cameUp(await shells.greeting(rights), rights);
    await cameUp(await shells.keepReserve(rights), rights);
  };

  /** Ends the script's process group; tells whether the host confirmed it in time. */
  const endGroup = async (shell: RemoteShell, rights: Rights): Promise<boolean> => {
    const group = shell.started()?.group ?? 0;
    if (group <= 1) return false;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<boolean>((resolve) => (timer = setTimeout(() => resolve(false), endingTimeoutMs)));
    const work = async (): Promise<boolean> => {
      const ending = await shells.extra(rights);
      ending.send(endGroupScript(group), {});
      return (await ending.outcome).kind === 'done';
    };
    return Promise.race([work().catch(() => false), late]).finally(() => clearTimeout(timer));
  };

  const run = async (script: string, rights: Rights, options: RunOptions): Promise<RunResult> => {
    const interrupted = interruption(host, options.signal);
    // It may fail before the script has come so far as to read it; that is noticed then.
    if (options.stdin instanceof Readable) options.stdin.on('error', () => {});
    try {
      const taking = shells.take(rights);
      const { shell, reserve } = await Promise.race([taking, interrupted.fired]).catch((error: unknown) => {
        taking.then((late) => late.shell.abandon()).catch(() => {});
        throw error;
      });
      stats.roundTrips++;
      shell.send(script, options);
      const outcome = await untilGivenUp(shell, rights, { ...limitsOf(options), interrupted: interrupted.fired });
      // A shell in reserve may have been ended by the host meanwhile; nothing was run, so another one can be tried.
      if (outcome.kind === 'refused' && reserve && !(options.stdin instanceof Readable)) return await run(script, rights, options);
      return settle(outcome, rights);
    } finally {
      interrupted.forget();
    }
  };

  const untilGivenUp = async (
    shell: RemoteShell,
    rights: Rights,
    { timeoutMs, silentMs, interrupted }: Limits & { interrupted: Promise<never> },
  ): Promise<Outcome> => {
    const begin = performance.now();
    const elapsed = (): string => `${Math.round(performance.now() - begin)} ms`;
    const exceeded = limitReached(host, [
      { ms: timeoutMs, since: () => begin, what: `a script on ${host} did not end within ${timeoutMs / 1000} s` },
      {
        ms: silentMs,
        since: () => shell.lastActive(),
        what: `nothing was heard from a script on ${host}, and nothing taken by it, for ${silentMs / 1000} s`,
      },
    ]);
    try {
      const outcome = await Promise.race([shell.outcome, exceeded.reached, interrupted, shell.failedHere]);
      debug(`script: ${outcome.kind === 'done' ? `exit code ${outcome.result.code}` : outcome.kind} after ${elapsed()}`);
      return outcome;
    } catch (error) {
      if (link.lost() === undefined) {
        const ended = await endGroup(shell, rights);
        shell.abandon();
        const rest = ended ? 'its processes were ended' : 'its processes may still be running';
        debug(`script given up after ${elapsed()}: ${rest}`);
        throw exceeded.explain(error, rest);
      }
      throw error;
    } finally {
      exceeded.forget();
    }
  };

  const rights = await findRights(target, context.asker, greet);
  debug(`logged in as ${target.user}; scripts run as ${rights.become}`);

  return {
    host,
    stats,
    run: (script, options = {}) => run(script, options.asLoginUser === true ? loginUser : rights, options),
    open: (script, options = {}) =>
      openSession(async (stdin) => {
        const { shell, another } = await shells.takeLasting(rights);
        stats.roundTrips++;
        // Asked for meanwhile, and known before anybody hears of this one.
        const onLine = (line: string): void =>
          void another.then(
            () => options.onLine?.(line),
            () => {},
          );
        shell.send(script, { ...options, onLine, stdin });
        await another.catch(async (error: unknown) => {
          shell.abandon();
          await shell.outcome.catch(() => {});
          throw error;
        });
        return settle(
          await untilGivenUp(shell, rights, { timeoutMs: Infinity, silentMs: Infinity, interrupted: new Promise<never>(() => {}) }),
          rights,
        );
      }),
    close: () => link.close(),
  };
}

function endGroupScript(group: number): string {
  return `kill -TERM -${group} 2>/dev/null || exit 0
i=0; while [ $i -lt 10 ]; do kill -0 -${group} 2>/dev/null || exit 0; sleep 0.1; i=$((i+1)); done
kill -KILL -${group}`;
}

function noShell({ target }: Link, { become }: Rights): SlipwayError {
  const what = become.startsWith('sudo') ? 'sudo' : 'the login shell';
  return remoteError(target.name, 'REMOTE_TIMEOUT', {
    message: `${what} of ${target.user}@${target.name} did not answer within ${shellTimeoutMs / 1000} s`,
    hint: 'A directory service (LDAP, SSSD) or name server that the host asks may be down.',
  });
}

function outputLost({ name, user }: Target, code: number): SlipwayError {
  return remoteError(name, 'REMOTE_OUTPUT_LOST', {
    message: `a script on ${name} ended with exit code ${code}, but the end of its output did not arrive`,
    category: 'failed',
    hint: `A sudo that logs output can lose some of it. Switch that off for this user in sudoers: Defaults:${user} !log_output, !log_input`,
  });
}

/** Milliseconds. */
interface Limits {
  timeoutMs: number;
  silentMs: number;
}

const limitsOf = ({ timeoutMs, silentMs }: RunOptions): Limits => ({
  timeoutMs: timeoutMs ?? (silentMs === undefined ? 60_000 : Infinity),
  silentMs: silentMs ?? Infinity,
});

interface Limit {
  ms: number;
  since(): number;
  /** What it means that it is reached. */
  what: string;
}

interface Exceeded {
  /** Rejects with REMOTE_TIMEOUT when the first of the limits is reached, and never resolves; never unhandled. */
  reached: Promise<never>;
  /** The same error with what became of the script; any other as it is. */
  explain(error: unknown, rest: string): unknown;
  forget(): void;
}

function limitReached(host: string, limits: readonly Limit[]): Exceeded {
  const timers = new Map<Limit, NodeJS.Timeout>();
  let met: { what: string; error: SlipwayError } | undefined;
  const reached = new Promise<never>((_, reject) => {
    const arm = (limit: Limit): void => {
      const left = limit.ms - (performance.now() - limit.since());
      // A longer time than a timer can hold (24 days) would fire at once.
      if (left >= 2 ** 31) return;
      if (left > 0)
        return void timers.set(
          limit,
          setTimeout(() => arm(limit), left),
        );
      met ??= { what: limit.what, error: givenUp(host, limit.what) };
      reject(met.error);
    };
    limits.forEach(arm);
  });
  reached.catch(() => {});
  return {
    reached,
    explain: (error, rest) => (met !== undefined && error === met.error ? givenUp(host, `${met.what}; ${rest}`) : error),
    forget: () => timers.forEach((timer) => clearTimeout(timer)),
  };
}

function givenUp(host: string, message: string): SlipwayError {
  return remoteError(host, 'REMOTE_TIMEOUT', {
    message,
    category: 'failed',
    hint: 'See on the host what it waits for (load, disk, the lock of the package manager), then run the same command again.',
  });
}

interface Interruption {
  /** Rejects with ABORTED when the signal fires; never unhandled. */
  readonly fired: Promise<never>;
  /** Forgets the signal: it may live as long as the program. */
  forget(): void;
}

function interruption(host: string, signal: AbortSignal | undefined): Interruption {
  let forget = (): void => {};
  const fired = new Promise<never>((_, reject) => {
    forget = onAbort(signal, () => reject(aborted(host)));
  });
  fired.catch(() => {});
  return { fired, forget };
}
