import { homedir, hostname, userInfo } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { SlipwayError } from '../base/errors.ts';
import type { HostKeyPolicy, Target } from './target.ts';

/** What the cluster file says about reaching a host; everything left out comes from ssh_config, then from OpenSSH's defaults. */
export interface TargetFields {
  /** The name used in messages. Default: the address. */
  name?: string | undefined;
  /** IP address, DNS name, or a Host alias of ssh_config. */
  address: string;
  port?: number | undefined;
  user?: string | undefined;
  identityFile?: string | undefined;
  become: 'sudo' | 'none';
  hostKeys: HostKeyPolicy;
  knownHosts?: string | undefined;
  /** `[user@]host[:port]`, from the operator outwards; empty: ProxyJump of ssh_config. */
  jump: readonly string[];
  /** Default 15_000. */
  connectTimeoutMs?: number | undefined;
}

export interface ResolveOptions {
  /** Another file than ~/.ssh/config. */
  configFile?: string | undefined;
}

/** Nested ProxyJump settings may lead in a circle. */
const longestChain = 8;

/**
 * The target with explicit field over ssh_config over OpenSSH's default. Of ssh_config these count: HostName, User, Port, IdentityFile,
 * IdentityAgent, IdentitiesOnly, ProxyJump, UserKnownHostsFile, GlobalKnownHostsFile, as `ssh -G` prints them; without ssh only the defaults.
 * Throws SSH_CONFIG_INVALID, SSH_CONFIG_UNSUPPORTED (ProxyCommand), ADDRESS_INVALID.
 */
export async function resolveTarget(fields: TargetFields, options: ResolveOptions = {}): Promise<Target> {
  return resolve(fields, options, 0);
}

async function resolve(fields: TargetFields, options: ResolveOptions, depth: number): Promise<Target> {
  if (!/^[A-Za-z0-9_\][:.%-]+$/.test(fields.address) || fields.address.startsWith('-')) {
    throw configError('ADDRESS_INVALID', fields, {
      message: `"${fields.address}" is not an address`,
      hint: 'Write an IP address or a DNS name.',
    });
  }
  const config = parseConfig(await sshG(fields, options));
  const one = (key: string): string | undefined => config.get(key)?.[0];
  const address = one('hostname') ?? fields.address;
  const user = fields.user ?? one('user') ?? userInfo().username;
  const port = fields.port ?? Number(one('port') ?? 22);
  const tokens = {
    '%': '%',
    d: homedir(),
    h: address,
    i: String(userInfo().uid),
    l: hostname(),
    n: fields.address,
    p: String(port),
    r: user,
    u: userInfo().username,
  };
  const path = (text: string): string => expandPath(text, tokens);

  const jumps = fields.jump.length > 0 ? fields.jump : jumpsOf(one('proxyjump'));
  if (jumps.length === 0 && (one('proxycommand') ?? 'none') !== 'none') {
    throw configError('SSH_CONFIG_UNSUPPORTED', fields, {
      message: `ssh_config sets a ProxyCommand for ${fields.address}, which cannot be used here`,
      hint: 'Name the host in between as ssh.jump, or use ProxyJump in ssh_config.',
    });
  }
  const configured = (config.get('identityfile') ?? []).filter((file) => !isDefaultIdentity(file)).map(path);
  const agentSocket = one('identityagent');
  const known = [
    ...(one('userknownhostsfile')?.split(' ') ?? defaultKnownHosts()),
    ...(one('globalknownhostsfile')?.split(' ') ?? ['/etc/ssh/ssh_known_hosts']),
  ];
  const certificates = (config.get('certificatefile') ?? []).map(path);
  return {
    name: fields.name ?? fields.address,
    address,
    port,
    user,
    identityFiles: fields.identityFile === undefined ? configured : [path(fields.identityFile)],
    agent: agentSocket !== 'none' && one('identitiesonly') !== 'yes',
    ...(agentSocket === undefined || agentSocket === 'SSH_AUTH_SOCK' ? {} : { agentSocket: path(agentSocket) }),
    ...(certificates.length === 0 ? {} : { certificates }),
    become: fields.become,
    hostKeys: fields.hostKeys,
    knownHosts: fields.knownHosts === undefined ? known.map(path) : [path(fields.knownHosts)],
    jump: await resolveJumps(jumps, fields, { options, depth }),
    connectTimeoutMs: fields.connectTimeoutMs ?? 15_000,
  };
}

/** Each jump host has its own settings in ssh_config; the key and the known_hosts file of the cluster file are good for it too. */
async function resolveJumps(
  jumps: readonly string[],
  fields: TargetFields,
  { options, depth }: { options: ResolveOptions; depth: number },
): Promise<Target[]> {
  if (depth + jumps.length > longestChain) {
    throw configError('SSH_CONFIG_UNSUPPORTED', fields, {
      message: `the jump hosts of ${fields.address} lead in a circle`,
      hint: 'See ProxyJump in ssh_config.',
    });
  }
  const chain: Target[] = [];
  for (const jump of jumps) {
    const { user, host, port } = parseJump(jump, fields);
    const hop = await resolve(
      { ...fields, name: host, address: host, user, port, jump: [], become: 'none', identityFile: undefined },
      options,
      depth + 1,
    );
    const withKey =
      hop.identityFiles.length === 0 && fields.identityFile !== undefined
        ? [expandPath(fields.identityFile, { d: homedir() })]
        : hop.identityFiles;
    // Only the first hop is reached as ssh_config says; the others are reached through the hop before them.
    if (chain.length === 0) chain.push(...hop.jump);
    chain.push({ ...hop, identityFiles: withKey, jump: [] });
  }
  return chain;
}

function parseJump(text: string, fields: TargetFields): { user: string | undefined; host: string; port: number | undefined } {
  const match = /^(?:ssh:\/\/)?(?:([^@]+)@)?(?:\[([^\]]+)\]|([^:@[\]]+))(?::(\d{1,5}))?$/.exec(text.trim());
  if (match === null)
    throw configError('ADDRESS_INVALID', fields, { message: `"${text}" is not a jump host`, hint: 'Write [user@]host[:port].' });
  return { user: match[1], host: match[2] ?? match[3]!, port: match[4] === undefined ? undefined : Number(match[4]) };
}

function jumpsOf(value: string | undefined): string[] {
  return value === undefined || value === 'none' ? [] : value.split(',');
}

async function sshG(fields: TargetFields, { configFile }: ResolveOptions): Promise<string> {
  const flags = [
    ...(configFile === undefined ? [] : ['-F', configFile]),
    ...(fields.user === undefined ? [] : ['-l', fields.user]),
    ...(fields.port === undefined ? [] : ['-p', String(fields.port)]),
  ];
  const result = await execa('ssh', ['-G', '-T', ...flags, '--', fields.address], { reject: false, timeout: 10_000, stdin: 'ignore' });
  if (result.exitCode === 0) return result.stdout;
  // No ssh on this machine: its settings cannot be known, and are not needed.
  if (result.code === 'ENOENT') return '';
  throw new SlipwayError(`ssh cannot read its configuration for ${fields.address}`, {
    code: 'SSH_CONFIG_INVALID',
    category: 'usage',
    where: { host: fields.name ?? fields.address },
    evidence: result.stderr,
    hint: `Correct ~/.ssh/config; this shows the problem: ssh -G ${fields.address}`,
  });
}

/** Lines of `keyword value`, keywords in lower case, some several times. */
function parseConfig(text: string): Map<string, string[]> {
  const config = new Map<string, string[]>();
  for (const line of text.split('\n')) {
    const space = line.indexOf(' ');
    if (space === -1) continue;
    const key = line.slice(0, space);
    config.set(key, [...(config.get(key) ?? []), line.slice(space + 1).trim()]);
  }
  return config;
}

/** `ssh -G` lists the usual files where none is configured; those are tried silently, configured ones must exist. */
function isDefaultIdentity(file: string): boolean {
  return /^(?:~|.*)\/\.ssh\/id_(?:rsa|ecdsa|ecdsa_sk|ed25519|ed25519_sk|xmss|dsa)$/.test(file);
}

function defaultKnownHosts(): string[] {
  return ['~/.ssh/known_hosts', '~/.ssh/known_hosts2'];
}

/** `~`, `%` tokens (ssh_config(5), TOKENS) and `${VARIABLE}`. */
function expandPath(text: string, tokens: Readonly<Record<string, string>>): string {
  const expanded = text
    .replaceAll(/%(.)/g, (whole, token: string) => tokens[token] ?? whole)
    .replaceAll(/\$\{(\w+)\}/g, (whole, name: string) => process.env[name] ?? whole);
  return expanded === '~' || expanded.startsWith('~/') ? join(homedir(), expanded.slice(1)) : expanded;
}

function configError(code: string, fields: TargetFields, text: { message: string; hint: string }): SlipwayError {
  return new SlipwayError(text.message, { code, category: 'usage', where: { host: fields.name ?? fields.address }, hint: text.hint });
}
