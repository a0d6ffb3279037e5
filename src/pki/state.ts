import { dirname, join, resolve } from 'node:path';
import { SlipwayError, bug } from '../base/errors.ts';
import { createAuthority, signer, type Signer } from './authorities.ts';
import { formatInventory, parseInventory, sha256 } from './inventory.ts';
import { issueCertificate, type IssuedPair } from './issue.ts';
import { lockDirectory } from './lock.ts';
import { makePrivateDirectory, removeTemporaryFiles, writePrivateFile } from './private-files.ts';
import { makers, type SecretName } from './secrets.ts';
import { specDigest, specFields } from './status.ts';
import { examine, readChecked, readInventory } from './state-files.ts';
import type { Authority, CertificateSpec, Inventory } from './types.ts';

/**
 * What the operator keeps of a cluster. Changing calls take the directory's lock (STATE_LOCKED) and hold it until `close`;
 * they refuse when another process has changed the directory since it was read (STATE_CHANGED).
 */
export interface State {
  readonly directory: string;
  /** Sentences for the operator, e.g. about files that others can read. */
  readonly warnings: readonly string[];
  inventory(): Inventory;
  /** Takes the lock now. Afterwards `inventory` is what is on disk; `changed` tells whether it differs from what was read before. */
  lock(): Promise<{ changed: boolean }>;
  /** Makes the authority when there is none yet. */
  createAuthority(name: Authority): Promise<void>;
  /** Makes the secret when there is none yet. */
  createSecret(name: SecretName): Promise<void>;
  /** The bytes kept under `name`; made once by `make` when there are none yet. */
  secretDocument(name: string, make: () => string | Buffer | Promise<string | Buffer>): Promise<Buffer>;
  /** Issues a certificate, records it in the inventory, and returns it. Many calls at once cost few writes. */
  issue(host: string, spec: CertificateSpec): Promise<IssuedPair>;
  /** What this process has issued; nothing keeps it longer. */
  issued(host: string, name: string): IssuedPair | undefined;
  secretBytes(name: string): Promise<Buffer>;
  authorityCertificate(name: Authority): Promise<string>;
  authorityKey(name: Authority): Promise<string>;
  /** Waits for writes and releases the lock. */
  close(): Promise<void>;
}

export interface StateOptions {
  /** metadata.name of the cluster file. */
  cluster: string;
  /** Milliseconds since 1970; default: the machine's clock. */
  now?: () => number;
}

/** Beside the cluster file, one per cluster name. */
export function stateDirectory(clusterFile: string, cluster: string): string {
  return join(dirname(resolve(clusterFile)), `${cluster}.state`);
}

/**
 * Reads the state directory and writes nothing; one that does not exist is empty. Every key that the inventory names is read and
 * compared with its digest, so that a plan never stands on a damaged directory.
 *
 * The inventory is what counts: keys are written before it under names that carry their generation, so whatever a killed process
 * left is either complete or in no inventory and written again. Throws STATE_DAMAGED, STATE_UNREADABLE, STATE_TOO_NEW,
 * STATE_OF_ANOTHER_CLUSTER.
 */
export async function openState(directory: string, options: StateOptions): Promise<State> {
  const now = options.now ?? Date.now;
  const path = {
    inventory: join(directory, 'inventory.json'),
    authorities: join(directory, 'authorities'),
    secrets: join(directory, 'secrets'),
  };
  const fresh = new Map<string, IssuedPair>();
  const signers = new Map<Authority, Promise<Signer>>();
  let text = await readInventory(directory);
  let inventory = parse(text);
  const warnings = await examine(directory, inventory);
  let locking: Promise<{ changed: boolean; release: () => Promise<void> }> | undefined;
  let changeSeen = false;
  let turn: Promise<unknown> = Promise.resolve();
  let waitingWrite: Promise<void> | undefined;
  let lastWrite: Promise<void> = Promise.resolve();

  function parse(source: string | undefined): Inventory {
    return source === undefined
      ? { authorities: {}, certificates: {}, secrets: {} }
      : parseInventory(source, { cluster: options.cluster, file: path.inventory });
  }

  async function takeLock(): Promise<{ changed: boolean; release: () => Promise<void> }> {
    await makePrivateDirectory(directory);
    const release = await lockDirectory(join(directory, 'lock'));
    try {
      const current = await readInventory(directory);
      const changed = current !== text;
      if (changed) {
        inventory = parse(current);
        text = current;
        signers.clear();
        await examine(directory, inventory);
      }
      await prepare();
      return { changed, release };
    } catch (error) {
      await release();
      throw error;
    }
  }

  /** An inventory exists before any key does: a directory with keys and without an inventory has lost it. */
  async function prepare(): Promise<void> {
    if (text === undefined) {
      // A cluster file belongs into version control and its keys do not.
      await writePrivateFile(join(directory, '.gitignore'), '*\n');
      await write();
    }
    for (const part of [path.authorities, path.secrets]) {
      await makePrivateDirectory(part);
      await removeTemporaryFiles(part);
    }
    await removeTemporaryFiles(directory);
  }

  function locked(): Promise<{ changed: boolean; release: () => Promise<void> }> {
    locking ??= takeLock().catch((error: unknown) => {
      locking = undefined;
      throw error;
    });
    return locking;
  }

  /** A change was planned from what was read: the first one must not meet something else. */
  async function ready(): Promise<void> {
    const { changed } = await locked();
    if (!changed || changeSeen) return;
    throw new SlipwayError('Another process has changed the state directory in the meantime', {
      code: 'STATE_CHANGED',
      category: 'locked',
      where: { file: path.inventory },
      hint: 'Run the same command again.',
    });
  }

  async function write(): Promise<void> {
    const next = formatInventory(options.cluster, inventory);
    if (next === text) return;
    await writePrivateFile(path.inventory, next);
    text = next;
  }

  /** All who wait while one write is under way share the next. */
  function record(): Promise<void> {
    waitingWrite ??= lastWrite = lastWrite
      .catch(() => undefined)
      .then(() => {
        waitingWrite = undefined;
        return write();
      });
    return waitingWrite;
  }

  /** Makers run one after the other, so that two callers never make the same thing. */
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = turn.then(work);
    turn = result.catch(() => undefined);
    return result;
  }

  async function makeSecret(name: string, make: () => string | Buffer | Promise<string | Buffer>): Promise<Buffer> {
    if (inventory.secrets[name] !== undefined) return secretBytes(name);
    if (!/^[a-z0-9][a-z0-9.-]*$/.test(name)) throw bug(`${name} cannot be the name of a secret`);
    await ready();
    const bytes = Buffer.from(await make());
    await writePrivateFile(join(path.secrets, `${name}.1`), bytes);
    inventory = { ...inventory, secrets: { ...inventory.secrets, [name]: { generation: 1, sha256: sha256(bytes) } } };
    await record();
    return bytes;
  }

  async function makeNamedSecret(name: SecretName): Promise<Buffer> {
    return makeSecret(name, () => makers[name](makeNamedSecret));
  }

  async function secretBytes(name: string): Promise<Buffer> {
    const known = inventory.secrets[name];
    if (known === undefined) throw bug(`The secret ${name} was read before it was made`);
    return readChecked(join(path.secrets, `${name}.${known.generation}`), known.sha256);
  }

  async function authorityFile(name: Authority, part: 'crt' | 'key'): Promise<string> {
    const known = inventory.authorities[name];
    if (known === undefined) throw bug(`The ${name} authority was used before it was made`);
    const digest = part === 'crt' ? known.certificateSha256 : known.keySha256;
    return (await readChecked(join(path.authorities, `${name}.${known.generation}.${part}`), digest)).toString();
  }

  function signerOf(name: Authority): Promise<Signer> {
    const existing = signers.get(name);
    if (existing !== undefined) return existing;
    const loading = (async () =>
      signer({ name, certificatePem: await authorityFile(name, 'crt'), keyPem: await authorityFile(name, 'key') }))();
    signers.set(name, loading);
    loading.catch(() => signers.delete(name));
    return loading;
  }

  return {
    directory,
    warnings,
    inventory: () => inventory,
    lock: async () => {
      const { changed } = await locked();
      changeSeen = true;
      return { changed };
    },
    createAuthority: (name) =>
      inTurn(async () => {
        if (inventory.authorities[name] !== undefined) return;
        await ready();
        const made = await createAuthority(name, { cluster: options.cluster, now: now() });
        await writePrivateFile(join(path.authorities, `${name}.1.key`), made.keyPem);
        await writePrivateFile(join(path.authorities, `${name}.1.crt`), made.certificatePem);
        const entry = {
          generation: 1,
          certificateSha256: sha256(made.certificatePem),
          keySha256: sha256(made.keyPem),
          notAfter: made.notAfter,
        };
        inventory = { ...inventory, authorities: { ...inventory.authorities, [name]: entry } };
        await record();
      }),
    createSecret: async (name) => void (await inTurn(() => makeNamedSecret(name))),
    secretDocument: (name, make) => inTurn(() => makeSecret(name, make)),
    issue: async (host, spec) => {
      await ready();
      const pair = await issueCertificate(spec, await signerOf(spec.authority), { now: now() });
      const key = `${host}/${spec.name}`;
      const authorityGeneration = inventory.authorities[spec.authority]!.generation;
      const issued = {
        spec: specDigest(spec, authorityGeneration),
        issuedFor: specFields(spec, authorityGeneration),
        generation: (inventory.certificates[key]?.generation ?? 0) + 1,
        certificateSha256: sha256(pair.certificatePem),
        keySha256: sha256(pair.keyPem),
        notAfter: pair.notAfter,
      };
      inventory = { ...inventory, certificates: { ...inventory.certificates, [key]: issued } };
      fresh.set(key, pair);
      await record();
      return pair;
    },
    issued: (host, name) => fresh.get(`${host}/${name}`),
    secretBytes,
    authorityCertificate: (name) => authorityFile(name, 'crt'),
    authorityKey: (name) => authorityFile(name, 'key'),
    close: async () => {
      await turn;
      await lastWrite.catch(() => undefined);
      const held = await locking?.catch(() => undefined);
      locking = undefined;
      await held?.release();
    },
  };
}
