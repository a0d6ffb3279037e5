import { isSlipwayError, messageOf, type SlipwayError } from '../base/errors.ts';
import type { Authentication } from './authentication.ts';
import { isCode, remoteError } from './errors.ts';
import type { Target } from './target.ts';

const networkHints: Record<string, string> = {
  ECONNREFUSED: 'Nothing listens there: check the port, and that sshd runs.',
  EHOSTUNREACH: 'No route to the host: check the address, and that the host is up.',
  ENETUNREACH: 'This machine has no route to that network.',
  ENOTFOUND: 'The name does not resolve: check its spelling, or use an IP address.',
  EAI_AGAIN: 'The name server did not answer.',
  ETIMEDOUT: 'Check that the host is up and that no firewall drops packets to its SSH port.',
  ECONNRESET: 'The other side closed at once: sshd may be overloaded (MaxStartups), or block this address.',
};

// What ssh2 and node-ssh say when the other side hangs up; node-ssh's error has the code ETIMEDOUT though nothing timed out.
const closedEarly = 'Connection lost before handshake';
const closed = 'No response from server';

function isClosedText(message: string): boolean {
  return message === closedEarly || message === closed;
}

/** Whether the other side hung up during the login. */
export function isClosed(error: unknown): boolean {
  return (
    isSlipwayError(error) &&
    error.code === 'REMOTE_UNREACHABLE' &&
    (isClosedText(messageOf(error.cause)) || isCode(error.cause, 'ECONNRESET'))
  );
}

/** Says in one of our codes why connecting or authenticating failed. */
export function handshakeError(target: Target, error: unknown, auth?: Authentication): SlipwayError {
  const message = messageOf(error);
  const { code, level } = (typeof error === 'object' && error !== null ? error : {}) as { code?: unknown; level?: unknown };
  const place = `${target.name} (${target.address} port ${target.port})`;
  if (level === 'client-authentication' || /too many authentication failures/i.test(message)) return authRefused(target, auth, error);
  if (/no matching/i.test(message)) {
    return remoteError(target.name, 'SSH_NO_COMMON_ALGORITHM', {
      message: `${place} and Slipway have no SSH algorithm in common: ${message}`,
      cause: error,
      hint: 'Let sshd there offer curve25519-sha256 or ecdh-sha2-nistp256 (post-quantum key exchange alone is not supported), and an ed25519, ECDSA or RSA host key.',
    });
  }
  if (isClosedText(message)) {
    return remoteError(target.name, 'REMOTE_UNREACHABLE', {
      message: `${place} closed the connection during the login`,
      cause: error,
      hint: 'sshd may be overloaded (MaxStartups), starting up, or blocking this address: see its log on the host.',
    });
  }
  const hint = typeof code === 'string' ? networkHints[code] : undefined;
  return remoteError(target.name, 'REMOTE_UNREACHABLE', {
    message: `cannot connect to ${place}: ${message}`,
    cause: error,
    hint: hint ?? 'Check the address, the port, and that sshd runs there.',
  });
}

function authRefused(target: Target, auth: Authentication | undefined, cause: unknown): SlipwayError {
  const login = `${target.user}@${target.name}`;
  if (auth !== undefined && auth.certificates.length > 0) {
    return remoteError(target.name, 'AUTH_CERTIFICATE_UNSUPPORTED', {
      message: `${login} refused the login, and OpenSSH certificates cannot be used`,
      cause,
      evidence: auth.certificates.join('\n'),
      hint: 'Let the host accept the plain public key (authorized_keys), or log in another way.',
    });
  }
  const offered = auth === undefined || auth.offered.length === 0 ? 'no key was offered' : `offered: ${auth.offered.join(', ')}`;
  const password = auth?.passwordTried() === true ? '; the password was refused' : '';
  const accepted = auth !== undefined && auth.accepted().length > 0 ? `; the server accepts: ${auth.accepted().join(', ')}` : '';
  return remoteError(target.name, 'AUTH_REFUSED', {
    message: `${login} refused the login (${offered}${password}${accepted})`,
    cause,
    evidence: auth === undefined || auth.problems.length === 0 ? undefined : auth.problems.join('\n'),
    hint:
      auth === undefined || auth.offered.length === 0
        ? 'Name a private key as ssh.identityFile, or start an agent and add a key with ssh-add.'
        : `Check the user, and that the public key is in ~${target.user}/.ssh/authorized_keys on the host.`,
  });
}
