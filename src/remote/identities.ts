import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import ssh2, { type ParsedKey, type SignCallback, type SigningRequestOptions } from 'ssh2';
import { isSlipwayError, messageOf, type SlipwayError } from '../base/errors.ts';
import type { Asker } from './asker.ts';
import { isCode, remoteError } from './errors.ts';
import { keyType } from './host-key.ts';
import type { Target } from './target.ts';

/** A key to offer: what is public, who can sign with it, and how to name it in a message. */
interface Identity {
  name: string;
  publicKey: Buffer;
  sign(data: Buffer, options: SigningRequestOptions): Promise<Buffer>;
}

export interface Identities {
  /** Offers the keys in order; a passphrase is asked for only when the server has accepted the key. */
  agent: InstanceType<typeof ssh2.BaseAgent>;
  /** Names of the keys that are offered, for the message when none is accepted. */
  offered: readonly string[];
  /** OpenSSH certificates that were seen and passed over: ssh2 cannot use them. */
  certificates: readonly string[];
  /** Key files that cannot be used, each with the reason. */
  problems: readonly string[];
  /** Why signing failed, if it did: more telling than the server's refusal. */
  failure(): SlipwayError | undefined;
}

const usualFiles = ['id_ed25519', 'id_ecdsa', 'id_rsa'];

export async function identities(target: Target, asker: Asker): Promise<Identities> {
  const certificates: string[] = [...(target.certificates ?? [])];
  const agentKeys = await keysOfAgent(target, { asker, certificates });
  const explicit = target.identityFiles.length > 0;
  const paths = explicit ? target.identityFiles : usualFiles.map((name) => join(homedir(), '.ssh', name));
  const files: Identity[] = [];
  const problems: SlipwayError[] = [];
  for (const path of paths) {
    const identity = await fileIdentity(path, { target, asker, explicit, certificates }).catch((error: unknown) => {
      // ssh_config often names files that this machine does not have: that matters only when nothing else is left to offer.
      if (!isSlipwayError(error) || error.code !== 'KEY_UNUSABLE') throw error;
      problems.push(error);
      return undefined;
    });
    if (identity !== undefined) files.push(agentKeys.find((key) => key.publicKey.equals(identity.publicKey)) ?? identity);
  }
  const offeredByAgent = target.agent ? agentKeys : [];
  const all = explicit ? [...files, ...offeredByAgent] : [...offeredByAgent, ...files];
  const offered = all.filter((one, index) => all.findIndex((other) => other.publicKey.equals(one.publicKey)) === index);
  if (offered.length === 0 && problems[0] !== undefined) throw problems[0];

  let failure: SlipwayError | undefined;
  class Offered extends ssh2.BaseAgent {
    getIdentities(callback: (error?: Error | null, keys?: (Buffer | ParsedKey)[]) => void): void {
      callback(
        null,
        offered.map((identity) => identity.publicKey),
      );
    }

    override sign(
      key: ParsedKey | Buffer | string,
      data: Buffer,
      options: SigningRequestOptions | SignCallback,
      callback?: SignCallback,
    ): void {
      const done = typeof options === 'function' ? options : callback!;
      const settings = typeof options === 'function' ? {} : options;
      const blob = publicBlob(key);
      const identity = offered.find((one) => blob !== undefined && one.publicKey.equals(blob));
      const signing =
        identity === undefined ? Promise.reject(new Error('the key is not among those offered')) : identity.sign(data, settings);
      signing.then(
        (signature) => done(null, signature),
        (error: unknown) => {
          failure ??= signFailure(target, identity?.name ?? 'key', error);
          done(failure);
        },
      );
    }
  }
  return { agent: new Offered(), offered: offered.map(({ name }) => name), certificates, problems: problems.map(messageOf), failure: () => failure };
}

function publicBlob(key: ParsedKey | Buffer | string): Buffer | undefined {
  const parsed = ssh2.utils.parseKey(key as Buffer);
  if (parsed instanceof Error) return undefined;
  return (Array.isArray(parsed) ? parsed[0]! : parsed).getPublicSSH();
}

function signFailure(target: Target, name: string, error: unknown): SlipwayError {
  if (typeof error === 'object' && error !== null && 'category' in error) return error as SlipwayError;
  return remoteError(target.name, 'AUTH_REFUSED', `cannot sign with ${name} for ${target.user}@${target.name}: ${messageOf(error)}`, {
    cause: error,
  });
}

async function keysOfAgent(target: Target, { asker, certificates }: Pick<FileContext, 'asker' | 'certificates'>): Promise<Identity[]> {
  const socket = target.agentSocket ?? process.env.SSH_AUTH_SOCK;
  if (socket === undefined || socket === '' || socket === 'none') return [];
  const agent = ssh2.createAgent(socket);
  // An agent that does not answer is no reason to fail: the key files may do.
  const keys = await new Promise<(ParsedKey | Buffer)[]>((resolve) => {
    agent.getIdentities((error, list) => resolve(error || list === undefined ? [] : (list as (ParsedKey | Buffer)[])));
  });
  return keys.flatMap((key) => {
    const blob = Buffer.isBuffer(key) ? key : key.getPublicSSH();
    const type = keyType(blob);
    const comment = 'comment' in key && key.comment ? ` (${key.comment})` : '';
    if (type.includes('-cert-v01@')) certificates.push(`a certificate of the agent${comment}`);
    const parsed = ssh2.utils.parseKey(blob);
    if (parsed instanceof Error) return [];
    return [
      {
        name: `agent key ${type}${comment}`,
        publicKey: blob,
        sign: (data: Buffer, options: SigningRequestOptions) => asker.waitFor(() => signWithAgent(agent, blob, { data, options })),
      },
    ];
  });
}

function signWithAgent(
  agent: ReturnType<typeof ssh2.createAgent>,
  key: Buffer,
  { data, options }: { data: Buffer; options: SigningRequestOptions },
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    agent.sign(key, data, options, (error, signature) =>
      error || signature === undefined ? reject(error ?? new Error('the agent did not sign')) : resolve(signature as Buffer),
    );
  });
}

interface FileContext {
  target: Target;
  asker: Asker;
  /** Named by the user: then a missing or broken file is an error, not something to pass over. */
  explicit: boolean;
  certificates: string[];
}

async function fileIdentity(path: string, context: FileContext): Promise<Identity | undefined> {
  const text = await readKey(path, context);
  if (text === undefined) return undefined;
  if ((await readOptional(`${path}-cert.pub`)) !== undefined) context.certificates.push(`${path}-cert.pub`);
  const key = parse(text);
  if (!(key instanceof Error)) {
    const cannot = `${path} is a public key, and no agent holds its private part`;
    return {
      name: path,
      publicKey: key.getPublicSSH(),
      sign: async (data, { hash }) => {
        if (!key.isPrivateKey()) throw keyError(context.target, path, cannot);
        return signWith(key, data, hash);
      },
    };
  }
  if (/-cert-v01@openssh\.com /.test(text)) {
    context.certificates.push(path);
    return undefined;
  }
  if (!/passphrase/i.test(key.message)) {
    if (!context.explicit) return undefined;
    throw keyError(context.target, path, `${path} is not a private key in a known format: ${key.message}`);
  }
  const sign: Identity['sign'] = async (data, { hash }) => signWith(await decrypt(path, text, context), data, hash);
  const publicKey = publicPart(text) ?? publicLine(await readOptional(`${path}.pub`));
  if (publicKey !== undefined) return { name: path, publicKey, sign };
  // An old PEM file does not show its public key: it must be decrypted to be offered.
  if (!context.explicit) return undefined;
  return { name: path, publicKey: (await decrypt(path, text, context)).getPublicSSH(), sign };
}

function signWith(key: ParsedKey, data: Buffer, hash: string | undefined): Buffer {
  const signature = key.sign(data, hash) as Buffer | Error;
  if (signature instanceof Error) throw signature;
  return signature;
}

/** Keys by the text of their file: deriving a key from a passphrase takes a second of pure computing, and a fleet needs it once. */
const decrypted = new Map<string, ParsedKey>();

async function decrypt(path: string, text: string, { target, asker }: FileContext): Promise<ParsedKey> {
  const known = decrypted.get(text);
  if (known !== undefined) return known;
  const passphrase = await asker.secret({ kind: 'passphrase', subject: path, host: target.name });
  if (passphrase === undefined) {
    throw remoteError(target.name, 'KEY_PASSPHRASE_NEEDED', `${path} is encrypted, and nobody can be asked for its passphrase`, {
      where: { host: target.name, file: path },
      hint: `Add the key to an agent first: ssh-add ${path}`,
    });
  }
  // Another connection may have done it while the person answered.
  const key = decrypted.get(text) ?? parse(text, passphrase);
  if (!(key instanceof Error)) {
    decrypted.set(text, key);
    return key;
  }
  throw remoteError(target.name, 'KEY_PASSPHRASE_WRONG', `the passphrase of ${path} is wrong`, {
    where: { host: target.name, file: path },
    hint: `Try it with: ssh-keygen -y -f ${path}`,
  });
}

function parse(text: string, passphrase?: string): ParsedKey | Error {
  const parsed = ssh2.utils.parseKey(text, passphrase);
  return Array.isArray(parsed) ? parsed[0]! : parsed;
}

/** The public key that an encrypted OpenSSH file shows in clear (PROTOCOL.key in OpenSSH's source). */
function publicPart(text: string): Buffer | undefined {
  const base64 = /-----BEGIN OPENSSH PRIVATE KEY-----([^-]+)-----END/.exec(text)?.[1];
  if (base64 === undefined) return undefined;
  const data = Buffer.from(base64, 'base64');
  const magic = 'openssh-key-v1\0';
  if (data.toString('latin1', 0, magic.length) !== magic) return undefined;
  let at = magic.length;
  const next = (): Buffer => {
    const length = data.readUInt32BE(at);
    at += 4 + length;
    return data.subarray(at - length, at);
  };
  for (let field = 0; field < 3; field++) next(); // cipher, key derivation, its options
  at += 4; // number of keys
  return next();
}

function publicLine(text: string | undefined): Buffer | undefined {
  const base64 = text?.trim().split(/\s+/)[1];
  return base64 === undefined ? undefined : Buffer.from(base64, 'base64');
}

async function readKey(path: string, { target, explicit }: FileContext): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (!explicit) return undefined;
    // ssh_config often names keys that only the agent has, together with the public file.
    const publicFile = isCode(error, 'ENOENT') ? await readOptional(`${path}.pub`) : undefined;
    if (publicFile !== undefined) return publicFile;
    throw keyError(target, path, `cannot read the private key ${path}: ${messageOf(error)}`, error);
  }
}

function keyError(target: Target, path: string, message: string, cause?: unknown): SlipwayError {
  return remoteError(target.name, 'KEY_UNUSABLE', message, {
    category: 'usage',
    cause,
    where: { host: target.name, file: path },
    hint: 'Name a private key that you can read as ssh.identityFile.',
  });
}

async function readOptional(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch {
    return undefined;
  }
}
