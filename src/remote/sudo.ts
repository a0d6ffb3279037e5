import { isSlipwayError, type SlipwayError } from '../base/errors.ts';
import type { Asker } from './asker.ts';
import { remoteError } from './errors.ts';
import type { Become } from './script.ts';
import type { Target } from './target.ts';

interface Refusal {
  pattern: RegExp;
  code: string;
  message: (login: string) => string;
  hint: (login: string) => string;
}

/** What sudo 1.8-1.9, sudo-rs, env(1) and the login shells print (in the C locale) when they refuse; the first match counts. */
const refusals: readonly Refusal[] = [
  {
    pattern: /must have a tty|no tty present.*requiretty|a terminal is required to run/i,
    code: 'SUDO_REQUIRES_TTY',
    message: (login) => `sudo on the host wants a terminal for ${login} (requiretty)`,
    hint: (login) => `Add to /etc/sudoers with visudo: Defaults:${login.split('@')[0]} !requiretty`,
  },
  {
    pattern: /env: .?sudo.?: no such file|sudo: (command )?not found/i,
    code: 'SUDO_MISSING',
    message: (login) => `there is no sudo on the host, and ${login} is not root`,
    hint: () => 'Install sudo there, or log in as root.',
  },
  {
    pattern: /must be owned by uid 0|setuid root|no new privileges|must be setuid/i,
    code: 'SUDO_BROKEN',
    message: () => 'sudo on the host cannot become root',
    hint: () => 'Restore its mode: chown root:root /usr/bin/sudo && chmod 4755 /usr/bin/sudo.',
  },
  {
    pattern: /account validation failure|account is locked|account or password is expired|password.*expired|account has expired/i,
    code: 'SUDO_ACCOUNT_UNUSABLE',
    message: (login) => `sudo refuses ${login}: the account or its password is locked or expired`,
    hint: (login) => `See "chage -l ${login.split('@')[0]}" and "passwd -S ${login.split('@')[0]}" on the host.`,
  },
  {
    pattern: /not in the sudoers file|may not run sudo|not allowed to (run sudo|execute)|i'm afraid i can't do that/i,
    code: 'SUDO_NOT_ALLOWED',
    message: (login) => `${login} may not become root with sudo`,
    hint: (login) => `Add the user on the host, e.g. to the group sudo or wheel: usermod -aG sudo ${login.split('@')[0]}`,
  },
  {
    pattern: /incorrect (password|authentication) attempt|try again|no password was provided|authentication failed|authentication failure/i,
    code: 'SUDO_PASSWORD_WRONG',
    message: (login) => `sudo refused the password of ${login}`,
    hint: () => 'Nothing was changed. Try it on the host with: sudo -k && sudo true',
  },
  {
    pattern: /a password is required|authentication is required|a terminal is required to (read|authenticate)|no askpass|no tty present/i,
    code: 'SUDO_PASSWORD_NEEDED',
    message: (login) => `sudo wants a password for ${login}, and nobody can be asked for it`,
    hint: () => 'Run the command in a terminal, or allow NOPASSWD for this user in sudoers.',
  },
];

/** Says in one of our codes why the preamble did not come to run: `text` is everything that the host printed instead. */
export function refusedError(target: Target, { code, text, sudo }: { code: number; text: string; sudo: boolean }): SlipwayError {
  const login = `${target.user}@${target.name}`;
  const found = sudo ? refusals.find(({ pattern }) => pattern.test(text)) : undefined;
  if (found !== undefined) {
    return remoteError(target.name, found.code, { message: found.message(login), hint: found.hint(login), evidence: text });
  }
  if (sudo && /^sudo: |\bsudo: /m.test(text)) {
    return remoteError(target.name, 'SUDO_FAILED', {
      message: `sudo failed for ${login} (exit code ${code})`,
      evidence: text,
      hint: `Try it on the host as ${login.split('@')[0]}: sudo true`,
    });
  }
  return remoteError(target.name, 'LOGIN_SHELL_REFUSED', {
    message: `${login} logged in, but the host did not run our command (exit code ${code})`,
    evidence: text,
    hint: `Check the user's login shell and that no forced command is set: ssh ${target.user}@${target.address} true`,
  });
}

/** How scripts of one connection become root. */
export interface Rights {
  become: Become;
  password: string | undefined;
}

/**
 * Finds out once per connection how to become root: `greet` tries the rights and throws the classified refusal. A password is asked
 * for only where sudo wants one, and tried once.
 */
export async function findRights(target: Target, asker: Asker, greet: (rights: Rights) => Promise<void>): Promise<Rights> {
  const become = target.user === 'root' ? 'root' : target.become === 'none' ? 'login-user' : 'sudo';
  const free: Rights = { become, password: undefined };
  try {
    await greet(free);
    return free;
  } catch (error) {
    if (!isSlipwayError(error) || error.code !== 'SUDO_PASSWORD_NEEDED') throw error;
    const password = await asker.secret({ kind: 'sudo-password', subject: `${target.user}@${target.name}`, host: target.name });
    if (password === undefined) throw error;
    if (/[\n\r\0]/.test(password)) throw refusedError(target, { code: 1, text: 'authentication failed', sudo: true });
    const paid: Rights = { become: 'sudo-password', password };
    await greet(paid);
    return paid;
  }
}
