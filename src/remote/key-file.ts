import { readFile } from 'node:fs/promises';
import ssh2, { type ParsedKey, type SigningRequestOptions } from 'ssh2';
import { messageOf, type SlipwayError } from '../base/errors.ts';
import type { Asker } from './asker.ts';
import { isCode, remoteError } from './errors.ts';
import type { Target } from './target.ts';

/** A key to offer: what is public, who can sign with it, and how to name it in a message. */
export interface Identity {
  name: string;
  publicKey: Buffer;
  sign(data: Buffer, options: SigningRequestOptions): Promise<Buffer>;
}

export interface KeyFileContext {
  target: Target;
  asker: Asker;
  /** Named by the user: then a missing or broken file is an error, not something to pass over. */
  explicit: boolean;
  certificates: string[];
}

/** The identity of a key file; undefined when it is one of the usual files and of no use. Throws KEY_UNUSABLE, KEY_PASSPHRASE_*. */
export async function keyFileIdentity(path: string, context: KeyFileContext): Promise<Identity | undefined> {
  const text = await readKey(path, context);
  if (text === undefined) return undefined;
  if ((await readOptional(`${path}-cert.pub`)) !== undefined) context.certificates.push(`${path}-cert.pub`);
  const key = parseKey(text);
  if (!(key instanceof Error)) {
    const cannot = `${path} is a public key, and no agent holds its private part`;
    return {
      name: path,
      publicKey: key.getPublicSSH(),
      sign: async (data, { hash }) => {
        if (!key.isPrivateKey()) throw keyError(context.target, path, { message: cannot });
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
    throw keyError(context.target, path, { message: `${path} is not a private key in a known format: ${key.message}` });
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

async function decrypt(path: string, text: string, { target, asker }: KeyFileContext): Promise<ParsedKey> {
  const known = decrypted.get(text);
  if (known !== undefined) return known;
  const passphrase = await asker.secret({ kind: 'passphrase', subject: path, host: target.name });
  if (passphrase === undefined) {
    throw remoteError(target.name, 'KEY_PASSPHRASE_NEEDED', {
      message: `${path} is encrypted, and nobody can be asked for its passphrase`,
      where: { host: target.name, file: path },
      hint: `Add the key to an agent first: ssh-add ${path}`,
    });
  }
  // Another connection may have done it while the person answered.
  const key = decrypted.get(text) ?? parseKey(text, passphrase);
  if (!(key instanceof Error)) {
    decrypted.set(text, key);
    return key;
  }
  throw remoteError(target.name, 'KEY_PASSPHRASE_WRONG', {
    message: `the passphrase of ${path} is wrong`,
    where: { host: target.name, file: path },
    hint: `Try it with: ssh-keygen -y -f ${path}`,
  });
}

/** ssh2's parser, which gives a list for some formats; only the first key is of use. */
export function parseKey(data: ParsedKey | Buffer | string, passphrase?: string): ParsedKey | Error {
  const parsed = ssh2.utils.parseKey(data, passphrase) as ParsedKey | ParsedKey[] | Error;
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

async function readKey(path: string, { target, explicit }: KeyFileContext): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (!explicit) return undefined;
    // ssh_config often names keys that only the agent has, together with the public file.
    const publicFile = isCode(error, 'ENOENT') ? await readOptional(`${path}.pub`) : undefined;
    if (publicFile !== undefined) return publicFile;
    throw keyError(target, path, { message: `cannot read the private key ${path}: ${messageOf(error)}`, cause: error });
  }
}

function keyError(target: Target, path: string, problem: { message: string; cause?: unknown }): SlipwayError {
  return remoteError(target.name, 'KEY_UNUSABLE', {
    ...problem,
    category: 'usage',
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
