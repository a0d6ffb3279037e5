import { connect as connectTcp, Socket } from 'node:net';
import type { Duplex, Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { NodeSSH } from 'node-ssh';
import { messageOf, type SlipwayError } from '../base/errors.ts';
import { onAbort } from './abort.ts';
import type { Asker } from './asker.ts';
import { authentication } from './authentication.ts';
import { aborted, connectionLost, remoteError } from './errors.ts';
import { handshakeError, isClosed } from './handshake-error.ts';
import { hostKeyCheck } from './host-key.ts';
import type { Target } from './target.ts';

/** A command's streams: reading gives its standard output, writing its standard input. Emits `exit` and `close`. */
export interface Channel extends Duplex {
  readonly stderr: Readable;
  close(): void;
}

/** An authenticated connection to one host. */
export interface Link {
  readonly target: Target;
  /** Why the connection is gone; undefined while it stands. */
  lost(): SlipwayError | undefined;
  /** Runs a command; `attach` is called with its channel before anything of it can be missed. */
  exec<T>(command: string, attach: (channel: Channel) => T): Promise<T>;
  /** A stream to another address, as the host sees it: how a jump host is used. */
  forward(address: string, port: number): Promise<Duplex>;
  onLost(listener: (error: SlipwayError) => void): void;
  close(): Promise<void>;
}

export interface DialOptions {
  asker: Asker;
  /** The jump host to go through. */
  via?: Link | undefined;
  signal?: AbortSignal | undefined;
  warn: (message: string) => void;
  keepalive: { intervalMs: number; count: number };
}

/** Pauses before another attempt, in ms. */
const pauses = [300, 1_000];

/**
 * Connects and authenticates: the host key first, credentials only after it is verified. Tries again where that can help: sshd drops some
 * connections at random while many log in (MaxStartups), and gives up on a person who takes long to answer (LoginGraceTime).
 */
export async function dial(target: Target, options: DialOptions): Promise<Link> {
  for (let attempt = 0; ; attempt++) {
    let questions = 0;
    const progress = { handshaken: false };
    const asker: Asker = {
      secret: (question) => (questions++, options.asker.secret(question)),
      hostKey: (question) => (questions++, options.asker.hostKey(question)),
      waitFor: options.asker.waitFor,
    };
    try {
      return await dialOnce(target, { ...options, asker }, progress);
    } catch (error) {
      const pause = pauses[attempt];
      const answeredLate = questions > 0 && attempt === 0;
      if (pause === undefined || !isClosed(error) || (progress.handshaken && !answeredLate)) throw error;
      await delay(pause * (0.5 + Math.random()), undefined, { signal: options.signal }).catch(() => {});
    }
  }
}

async function dialOnce(target: Target, options: DialOptions, progress: { handshaken: boolean }): Promise<Link> {
  let fail!: (error: SlipwayError) => void;
  const failed = new Promise<never>((_, reject) => (fail = reject));
  failed.catch(() => {});
  const limit = stopwatch(target.connectTimeoutMs, () =>
    fail(
      remoteError(target.name, 'REMOTE_UNREACHABLE', {
        message: `${where(target)} did not answer within ${target.connectTimeoutMs / 1000} s`,
        hint: 'Check the address, that the host is up, and that no firewall drops packets to its SSH port.',
      }),
    ),
  );
  const forget = onAbort(options.signal, () => fail(aborted(target.name)));
  // A person may take longer to answer than a host: the time of questions does not count.
  const asker: Asker = {
    secret: (question) => limit.outside(() => options.asker.secret(question)),
    hostKey: (question) => limit.outside(() => options.asker.hostKey(question)),
    waitFor: (task) => limit.outside(() => options.asker.waitFor(task)),
  };
  let socket: Duplex | undefined;
  try {
    const hostKey = await hostKeyCheck(target, { confirm: asker.hostKey, warn: options.warn });
    const auth = await authentication(target, asker);
    socket = options.via === undefined ? tcpSocket(target) : await forwarded(target, options.via, failed);
    if (socket instanceof Socket) await Promise.race([connected(target, socket), failed]);
    const ssh = new NodeSSH();
    let verifiedKey: Buffer | undefined;
    const connecting = ssh.connect({
      host: target.address,
      port: target.port,
      username: target.user,
      sock: socket,
      readyTimeout: 0, // ours counts
      keepaliveInterval: options.keepalive.intervalMs,
      keepaliveCountMax: options.keepalive.count,
      algorithms: { serverHostKey: hostKey.algorithms as never },
      hostVerifier: (key: Buffer, verified: (ok: boolean) => void) => {
        // Keys are exchanged anew from time to time, and the server shows its key again.
        if (verifiedKey?.equals(key) === true) return verified(true);
        hostKey.check(key).then(
          () => {
            verifiedKey = Buffer.from(key);
            verified(true);
          },
          (error: SlipwayError) => {
            fail(error);
            verified(false);
          },
        );
      },
      authHandler: auth.next as never,
    });
    const client = ssh.connection!;
    // node-ssh takes its error listener away once connected; then a reset would end the whole program.
    client.on('error', () => {});
    client.once('handshake', () => (progress.handshaken = true));
    client.on('change password', () => fail(passwordExpired(target)));
    const loggedIn = connecting.catch((error: unknown) => {
      throw auth.failure() ?? handshakeError(target, error, auth);
    });
    await Promise.race([failed, loggedIn]);
    return link(target, ssh, { socket, via: options.via });
  } catch (error) {
    socket?.on('error', () => {});
    socket?.destroy();
    throw error;
  } finally {
    limit.stop();
    forget();
  }
}

function passwordExpired(target: Target): SlipwayError {
  return remoteError(target.name, 'AUTH_PASSWORD_EXPIRED', {
    message: `the password of ${target.user}@${target.name} has expired`,
    hint: `Log in once with ssh ${target.user}@${target.address} and choose a new one.`,
  });
}

function where(target: Target): string {
  return `${target.name} (${target.address} port ${target.port})`;
}

function tcpSocket(target: Target): Socket {
  // Without noDelay every small command waits about 40 ms for the other side's delayed acknowledgement.
  return connectTcp({ host: target.address, port: target.port, noDelay: true, keepAlive: true });
}

function connected(target: Target, socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', (error) => reject(handshakeError(target, error)));
  });
}

async function forwarded(target: Target, via: Link, failed: Promise<never>): Promise<Duplex> {
  const opening = via.forward(target.address, target.port);
  try {
    return await Promise.race([opening, failed]);
  } catch (error) {
    opening.then((late) => late.destroy()).catch(() => {});
    throw error;
  }
}

function link(target: Target, ssh: NodeSSH, { socket, via }: { socket: Duplex; via: Link | undefined }): Link {
  const client = ssh.connection!;
  const listeners: ((error: SlipwayError) => void)[] = [];
  let gone: SlipwayError | undefined;
  const lose = (cause?: unknown): void => {
    if (gone !== undefined) return;
    gone = connectionLost(target.name, cause);
    socket.destroy();
    for (const listener of listeners) listener(gone);
  };
  client.on('error', lose);
  client.on('close', () => lose());
  client.on('end', () => lose());
  via?.onLost(lose);

  return {
    target,
    lost: () => gone,
    exec: (command, attach) =>
      new Promise((resolve, reject) => {
        if (gone !== undefined) return reject(gone);
        try {
          // Not execCommand: it decodes chunk by chunk, which breaks characters, and keeps all output in memory.
          client.exec(command, (error, channel) => (error === undefined ? resolve(attach(channel)) : reject(gone ?? error)));
        } catch (error) {
          // "Not connected": the other side has hung up, and ssh2 has not told yet.
          lose(error);
          reject(connectionLost(target.name, error));
        }
      }),
    forward: async (address, port) => {
      try {
        return await ssh.forwardOut('127.0.0.1', 0, address, port);
      } catch (error) {
        if (gone !== undefined) throw gone;
        throw remoteError(target.name, 'REMOTE_UNREACHABLE', {
          message: `${target.name} cannot reach ${address} port ${port}: ${messageOf(error)}`,
          cause: error,
          hint: 'The jump host must reach the address, and its sshd must allow AllowTcpForwarding.',
        });
      }
    },
    onLost: (listener) => (gone === undefined ? void listeners.push(listener) : listener(gone)),
    close: () =>
      new Promise((resolve) => {
        if (gone !== undefined) return resolve();
        listeners.length = 0;
        gone = connectionLost(target.name, new Error('closed'));
        // A peer that has vanished never confirms the end.
        const giveUp = setTimeout(() => socket.destroy(), 1_000);
        client.once('close', () => {
          clearTimeout(giveUp);
          resolve();
        });
        ssh.dispose();
      }),
  };
}

interface Stopwatch {
  outside<T>(task: () => Promise<T>): Promise<T>;
  stop(): void;
}

/** A time limit that stands still while a task runs that is not to be counted. */
function stopwatch(limitMs: number, onElapsed: () => void): Stopwatch {
  let remaining = limitMs;
  let since = performance.now();
  let timer = setTimeout(onElapsed, remaining);
  let outside = 0;
  let stopped = false;
  return {
    async outside(task) {
      if (outside++ === 0) {
        clearTimeout(timer);
        remaining -= performance.now() - since;
      }
      try {
        return await task();
      } finally {
        if (--outside === 0 && !stopped) {
          since = performance.now();
          timer = setTimeout(onElapsed, Math.max(remaining, 1_000));
        }
      }
    },
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
