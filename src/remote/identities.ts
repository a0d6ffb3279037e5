import { homedir } from 'node:os';
import { join } from 'node:path';
import ssh2, { type ParsedKey, type SignCallback, type SigningRequestOptions } from 'ssh2';
import { isSlipwayError, messageOf, type SlipwayError } from '../base/errors.ts';
import type { Asker } from './asker.ts';
import { remoteError } from './errors.ts';
import { keyType } from './host-key.ts';
import { keyFileIdentity, parseKey, type Identity, type KeyFileContext } from './key-file.ts';
import type { Target } from './target.ts';

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
    const identity = await keyFileIdentity(path, { target, asker, explicit, certificates }).catch((error: unknown) => {
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

    override sign(...[key, data, options, callback]: SignArguments): void {
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
  return {
    agent: new Offered(),
    offered: offered.map(({ name }) => name),
    certificates,
    problems: problems.map(messageOf),
    failure: () => failure,
  };
}

type SignArguments = [
  key: ParsedKey | Buffer | string,
  data: Buffer,
  options: SigningRequestOptions | SignCallback,
  callback?: SignCallback,
];

function publicBlob(key: ParsedKey | Buffer | string): Buffer | undefined {
  const parsed = parseKey(key);
  return parsed instanceof Error ? undefined : parsed.getPublicSSH();
}

function signFailure(target: Target, name: string, error: unknown): SlipwayError {
  if (typeof error === 'object' && error !== null && 'category' in error) return error as SlipwayError;
  return remoteError(target.name, 'AUTH_REFUSED', {
    message: `cannot sign with ${name} for ${target.user}@${target.name}: ${messageOf(error)}`,
    cause: error,
  });
}

async function keysOfAgent(target: Target, { asker, certificates }: Pick<KeyFileContext, 'asker' | 'certificates'>): Promise<Identity[]> {
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
    if (parseKey(blob) instanceof Error) return [];
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
      error || signature === undefined ? reject(error ?? new Error('the agent did not sign')) : resolve(signature),
    );
  });
}
