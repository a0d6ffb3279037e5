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

export interface TakenShell {
  shell: RemoteShell;
  /** It was opened before it was asked for: should the host have ended it meanwhile, another one can be taken. */
  reserve: boolean;
}

/** The shells of one connection. */
export interface Shells {
  /** A shell for one script; waits while too many are in use. Rejects with REMOTE_CONNECTION_LOST, REMOTE_SESSION_REFUSED. */
  take(rights: Rights): Promise<TakenShell>;
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

  return {
    async take(rights) {
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
          if (others > 0) slots.limitTo(others);
          else if (!(await giveUpReserve())) throw sessionRefused(host, error);
        }
      }
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

function sessionRefused(host: string, cause: unknown): SlipwayError {
  return remoteError(host, 'REMOTE_SESSION_REFUSED', {
    message: `${host} opens no session: ${messageOf(cause)}`,
    cause,
    hint: 'Check MaxSessions, ForceCommand and the limits (ulimit, PAM) of the user on the host.',
  });
}
