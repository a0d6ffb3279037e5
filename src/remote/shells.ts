import { setTimeout as delay } from 'node:timers/promises';
import { messageOf, type SlipwayError } from '../base/errors.ts';
import { remoteError } from './errors.ts';
import type { RunnerStats } from './runner.ts';
import { commandLine, greetingCommandLine, newMarker } from './script.ts';
import { remoteShell, type RemoteShell } from './shell.ts';
import { createSlots } from './slots.ts';
import type { Rights } from './sudo.ts';
import type { Link } from './transport.ts';

/** sshd allows 10 sessions on a connection (MaxSessions): one is the shell in reserve, some are left for ending scripts that are given up. */
const maxScripts = 6;

/** Milliseconds: sshd counts a session a moment longer than the client hears of it. */
const freeingMs = 2_000;
const pollMs = 50;

export interface TakenShell {
  shell: RemoteShell;
  /** It was opened before it was asked for: should the host have ended it meanwhile, another one can be taken. */
  reserve: boolean;
}

/** The shells of one connection. */
export interface Shells {
  /** A shell for one script; waits while too many are in use. Rejects with REMOTE_CONNECTION_LOST, REMOTE_SESSION_REFUSED. */
  take(rights: Rights): Promise<TakenShell>;
  /** A shell for as long as the run lasts. `another` rejects (REMOTE_SESSION_REFUSED) when the server allows none beside it: nothing could be run. */
  takeLasting(rights: Rights): Promise<{ shell: RemoteShell; another: Promise<void> }>;
  /** A shell at once, whatever the number in use. */
  extra(rights: Rights): Promise<RemoteShell>;
  /** Runs the command that needs no input beyond a password. */
  greeting(rights: Rights): Promise<RemoteShell>;
  /** Opens a shell with these rights, and from now on keeps one like it in reserve. */
  keepReserve(rights: Rights): Promise<RemoteShell>;
}

/**
 * A login shell may take its time (a long ~/.bashrc, PAM, sudo asking a directory service), and a channel costs two round trips before
 * the first byte of a script. So one shell always waits in reserve: a script then costs one round trip.
 */
export function createShells(link: Link, stats: RunnerStats): Shells {
  const host = link.target.name;
  const slots = createSlots(maxScripts);
  /** How many of those in use nobody can wait for. */
  let lasting = 0;
  let reserve: Promise<RemoteShell | undefined> | undefined;
  /** The rights to keep a reserve for; undefined: none is kept. */
  let reserveFor: Rights | undefined;

  const attach = async (command: (marker: string) => string, rights: Rights): Promise<RemoteShell> => {
    const marker = newMarker();
    return link.exec(command(marker), (channel) => remoteShell(channel, { host, marker, password: rights.password, stats }));
  };
  /** For shells that must come up: whatever fails is an error of ours. */
  const certain = async (opening: Promise<RemoteShell>): Promise<RemoteShell> => {
    try {
      return await opening;
    } catch (error) {
      throw link.lost() ?? sessionRefused(host, error);
    }
  };
  const fresh = (rights: Rights): Promise<RemoteShell> => attach((marker) => commandLine(rights.become, marker), rights);

  const hold = (opening: Promise<RemoteShell | undefined>): void => {
    reserve = opening;
    void opening.then((shell) => {
      const forget = (): void => {
        if (reserve === opening) reserve = undefined;
      };
      shell?.outcome.then(forget, forget);
    });
  };

  /** Gives out what is in reserve, or on its way to be, and opens the next. */
  const fromReserve = async (rights: Rights): Promise<RemoteShell | undefined> => {
    if (rights !== reserveFor) return undefined;
    const waiting = reserve;
    hold(
      fresh(rights).catch(() => {
        // The server allows no more sessions, or is gone.
        reserveFor = reserve = undefined;
        return undefined;
      }),
    );
    return waiting;
  };

  /** The reserve may hold the only session that the server allows. Tells whether there was one to give up. */
  const giveUpReserve = async (): Promise<boolean> => {
    const shell = await reserve;
    reserveFor = reserve = undefined;
    shell?.abandon();
    await shell?.outcome.catch(() => {});
    return shell !== undefined;
  };

  const take = async (rights: Rights): Promise<TakenShell> => {
    let deadline: number | undefined;
    for (;;) {
      const release = await slots.take();
      try {
        const waiting = await fromReserve(rights);
        const shell = waiting ?? (await fresh(rights));
        shell.outcome.then(release, release);
        return { shell, reserve: waiting !== undefined };
      } catch (error) {
        const others = slots.inUse() - 1;
        release();
        const gone = link.lost();
        if (gone !== undefined) throw gone;
        if (others > lasting) {
          slots.limitTo(others);
          deadline = undefined;
        } else if (!(await giveUpReserve())) {
          deadline ??= performance.now() + freeingMs;
          if (performance.now() > deadline) throw others > 0 ? tooFewSessions(host, others) : sessionRefused(host, error);
          await delay(pollMs);
        }
      }
    }
  };

  /** Whether there will be a shell for the next script: one waits, or is in use for a while, or can be opened. */
  const hasAnother = async (rights: Rights): Promise<boolean> => {
    for (const deadline = performance.now() + freeingMs; ; await delay(pollMs)) {
      if ((await reserve) !== undefined || slots.inUse() > lasting) return true;
      const shell = await fresh(rights).catch(() => undefined);
      if (shell !== undefined) {
        reserveFor = rights;
        hold(Promise.resolve(shell));
        return true;
      }
      if (link.lost() !== undefined || performance.now() > deadline) return false;
    }
  };

  return {
    take,
    async takeLasting(rights) {
      const { shell } = await take(rights);
      lasting++;
      const back = (): void => void lasting--;
      shell.outcome.then(back, back);
      const another = hasAnother(rights).then((has) => {
        if (!has) throw link.lost() ?? tooFewSessions(host, slots.inUse());
      });
      return { shell, another };
    },
    extra: fresh,
    async greeting(rights) {
      const shell = await certain(attach((marker) => greetingCommandLine(rights.become, marker), rights));
      shell.sendNothing();
      return shell;
    },
    async keepReserve(rights) {
      const shell = await certain(fresh(rights));
      reserveFor = rights;
      hold(Promise.resolve(shell));
      return shell;
    },
  };
}

function tooFewSessions(host: string, allowed: number): SlipwayError {
  return remoteError(host, 'REMOTE_SESSION_REFUSED', {
    message: `${host} opens ${allowed} ${allowed === 1 ? 'session' : 'sessions'} on a connection, and one more is needed`,
    hint: `Set MaxSessions to at least ${allowed + 1} in /etc/ssh/sshd_config on the host (10 is its default) and reload sshd.`,
  });
}

function sessionRefused(host: string, cause: unknown): SlipwayError {
  return remoteError(host, 'REMOTE_SESSION_REFUSED', {
    message: `${host} opens no session: ${messageOf(cause)}`,
    cause,
    hint: 'Check MaxSessions, ForceCommand and the limits (ulimit, PAM) of the user on the host.',
  });
}
