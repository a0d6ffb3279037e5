import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect as connectTcp, type AddressInfo } from 'node:net';
import { constants, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import ssh2, { type AuthContext, type Connection, type ServerChannel } from 'ssh2';
import type { Target } from '../../src/remote/target.ts';
import { targetOf } from './target.ts';

export interface SshServerOptions {
  user?: string;
  /** Default: one ed25519 key. */
  hostKeyTypes?: readonly ('ed25519' | 'ecdsa' | 'rsa')[];
  /** Default: the key of `identityFile` alone. */
  methods?: readonly ('publickey' | 'password' | 'keyboard-interactive')[];
  password?: string;
  /** All methods must be passed, in order (AuthenticationMethods of sshd). */
  all?: boolean;
  /** Like sshd's; default 10. */
  maxSessions?: number;
  /** Names and texts of commands that are found before the system's, e.g. a sudo that refuses. */
  commands?: Readonly<Record<string, string>>;
  /** What the login shell prints before the command runs. */
  loginNoise?: string;
  /** Another login shell than /bin/sh, as words before the command. */
  loginShell?: readonly string[];
  /** What stands in place of /bin/sh in our own command line. */
  shell?: string;
  /** Refuse to forward, as AllowTcpForwarding no does. */
  noForwarding?: boolean;
}

export interface SshServer {
  port: number;
  directory: string;
  identityFile: string;
  knownHosts: string;
  /** `known_hosts` lines of the server's keys, by type. */
  hostKeyLines: Readonly<Record<string, string>>;
  target(changes?: Partial<Target>): Target;
  /** Credentials that arrived: `password hunter2`, `publickey ssh-ed25519`. */
  readonly credentials: string[];
  /** Command lines that were asked for. */
  readonly commands: string[];
  readonly forwards: string[];
  connections(): number;
  /** Resolves when no connection is left. */
  idle(): Promise<void>;
  /** Drops the connections without a word, as a crashing host would. */
  dropAll(): void;
  stop(): Promise<void>;
}

const bits = { ed25519: {}, ecdsa: { bits: 256 }, rsa: { bits: 2048 } } as const;

/** An SSH server inside the test that really runs what it is told, by /bin/sh. For what a real sshd cannot be made to do: odd sudos, dropped sessions. */
export async function startSshServer(options: SshServerOptions = {}): Promise<SshServer> {
  const user = options.user ?? 'admin';
  const methods = options.methods ?? ['publickey'];
  const directory = await mkdtemp(join(tmpdir(), 'slipway-ssh-'));
  const hostKeys = (options.hostKeyTypes ?? ['ed25519']).map((type) => ({
    type,
    ...keyPair(type),
  }));
  const login = keyPair('ed25519');
  const identityFile = join(directory, 'id');
  await writeFile(identityFile, login.private, { mode: 0o600 });
  await writeFile(`${identityFile}.pub`, login.public);
  const loginKey = parsed(login.public).getPublicSSH();
  const bin = join(directory, 'bin');
  for (const [name, text] of Object.entries(options.commands ?? {})) await writeCommand(bin, name, text);

  const connections = new Set<Connection>();
  const idleListeners: (() => void)[] = [];
  const children = new Set<ChildProcess>();
  const record = { credentials: [] as string[], commands: [] as string[], forwards: [] as string[] };

  const authenticate = (state: { passed: string[] }, context: AuthContext): void => {
    const reject = (): void => {
      const left = options.all === true ? methods.filter((method) => !state.passed.includes(method)) : [...methods];
      context.reject(options.all === true ? left.slice(0, 1) : left, state.passed.length > 0);
    };
    const accept = (): void => {
      state.passed.push(context.method);
      if (options.all === true && state.passed.length < methods.length) reject();
      else context.accept();
    };
    if (context.username !== user || !methods.includes(context.method as 'password')) return reject();
    if (context.method === 'password') {
      record.credentials.push(`password ${context.password}`);
      return context.password === options.password ? accept() : reject();
    }
    if (context.method === 'keyboard-interactive') {
      return context.prompt([{ prompt: 'Password: ', echo: false }], (answers) => {
        record.credentials.push(`keyboard-interactive ${answers.join(' ')}`);
        if (answers[0] === options.password) accept();
        else reject();
      });
    }
    if (context.method === 'publickey') {
      const known = context.key.data.equals(loginKey);
      if (!known) return reject();
      if (context.signature === undefined) return context.accept();
      record.credentials.push(`publickey ${context.key.algo}`);
      return parsed(login.public).verify(context.blob!, context.signature, context.hashAlgo) === true ? accept() : reject();
    }
    reject();
  };

  const runCommand = (channel: ServerChannel, command: string): void => {
    record.commands.push(command);
    const own = command.replaceAll('PATH=', `PATH=${bin}${delimiter}`).replaceAll('/bin/sh -c', `${options.shell ?? '/bin/sh'} -c`);
    const [shell, ...args] = options.loginShell ?? ['/bin/sh'];
    // A group of its own, as sshd gives each session.
    const child = spawn(shell!, [...args, '-c', own], { detached: true, stdio: 'pipe', env: { ...process.env, HOME: directory } });
    children.add(child);
    if (options.loginNoise !== undefined) channel.write(options.loginNoise);
    channel.pipe(child.stdin);
    child.stdin.on('error', () => {});
    child.stdout.on('data', (chunk: Buffer) => channel.write(chunk));
    child.stderr.on('data', (chunk: Buffer) => channel.stderr.write(chunk));
    child.on('close', (code, signal) => {
      children.delete(child);
      if (signal !== null) channel.exit(signal.replace('SIG', ''), false, '');
      else channel.exit(code ?? 255);
      channel.end();
      channel.close();
    });
    channel.on('close', () => child.stdin.destroy());
  };

  const server = new ssh2.Server({ hostKeys: hostKeys.map((key) => key.private) }, (connection) => {
    connections.add(connection);
    connection.on('error', () => {});
    connection.on('close', () => {
      connections.delete(connection);
      if (connections.size === 0) for (const listener of idleListeners.splice(0)) listener();
    });
    const state = { passed: [] as string[] };
    connection.on('authentication', (context) => authenticate(state, context));
    let sessions = 0;
    connection.on('session', (accept, refuse) => {
      if (sessions >= (options.maxSessions ?? 10)) return refuse();
      sessions++;
      const session = accept();
      session.on('exec', (acceptExec, _refuse, info) => {
        const channel = acceptExec();
        channel.on('close', () => sessions--);
        channel.on('error', () => {});
        runCommand(channel, info.command);
      });
    });
    connection.on('tcpip', (accept, refuse, info) => {
      record.forwards.push(`${info.destIP}:${info.destPort}`);
      if (options.noForwarding === true) return refuse();
      const socket = connectTcp({ port: info.destPort, host: info.destIP, noDelay: true });
      socket.once('error', () => refuse());
      socket.once('connect', () => {
        const channel = accept();
        channel.on('error', () => {});
        socket.on('error', () => channel.close());
        socket.pipe(channel).pipe(socket);
      });
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server as never, 'listening');
  const port = (server as unknown as { address(): AddressInfo }).address().port;
  const hostKeyLines = Object.fromEntries(hostKeys.map((key) => [key.type, `[127.0.0.1]:${port} ${key.public.trim()}\n`]));
  const knownHosts = join(directory, 'known_hosts');
  await writeFile(knownHosts, Object.values(hostKeyLines).join(''), { mode: 0o600 });

  return {
    port,
    directory,
    identityFile,
    knownHosts,
    hostKeyLines,
    target: (changes = {}) => ({ ...targetOf({ port, user, identityFile, knownHosts }), ...changes }),
    ...record,
    connections: () => connections.size,
    idle: () => new Promise((resolve) => (connections.size === 0 ? resolve() : void idleListeners.push(resolve))),
    dropAll: () => {
      for (const connection of connections) socketOf(connection).destroy();
    },
    async stop() {
      for (const connection of connections) socketOf(connection).destroy();
      for (const child of children) endGroup(child);
      server.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** ssh2's generator now and then writes a key that its own parser refuses (a number with leading zeros): then another one is made. */
function keyPair(type: keyof typeof bits): { private: string; public: string } {
  for (;;) {
    const pair = ssh2.utils.generateKeyPairSync(type, bits[type] as never);
    if (!(ssh2.utils.parseKey(pair.private) instanceof Error)) return pair;
  }
}

function parsed(text: string): ssh2.ParsedKey {
  const key = ssh2.utils.parseKey(text);
  if (key instanceof Error) throw key;
  return Array.isArray(key) ? key[0]! : key;
}

async function writeCommand(directory: string, name: string, text: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, name), text, { mode: 0o755 });
}

/** ssh2 offers no way to drop a connection without saying goodbye. */
function socketOf(connection: Connection): { destroy(): void } {
  return (connection as unknown as { _sock: { destroy(): void } })._sock;
}

function endGroup(child: ChildProcess): void {
  try {
    process.kill(-child.pid!, constants.signals.SIGKILL);
  } catch {
    // It has ended already.
  }
}
