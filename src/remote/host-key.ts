import { appendFile, mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { quote } from '../base/quote.ts';
import { messageOf, type SlipwayError } from '../base/errors.ts';
import { isCode, remoteError } from './errors.ts';
import { fingerprint, knownHostsName, knownTypes, parseKnownHosts, verify, type KnownHost } from './known-hosts.ts';
import type { HostKeyQuestion, Target } from './target.ts';

export interface HostKeyCheck {
  /** The key types to ask the server for, most wanted first: without this a host known by one type could present another and look unknown. */
  algorithms: string[];
  /** Throws HOST_KEY_CHANGED, HOST_KEY_UNKNOWN, HOST_KEY_REVOKED. Called before any credential is sent. */
  check(key: Buffer): Promise<void>;
}

export interface HostKeyOptions {
  confirm?: ((question: HostKeyQuestion) => Promise<boolean>) | undefined;
  warn: (message: string) => void;
}

// ssh-rsa (SHA-1 signatures) is left out on purpose, as OpenSSH does since 8.8.
const signatureAlgorithms: readonly { type: string; algorithms: readonly string[] }[] = [
  { type: 'ssh-ed25519', algorithms: ['ssh-ed25519'] },
  { type: 'ecdsa-sha2-nistp256', algorithms: ['ecdsa-sha2-nistp256'] },
  { type: 'ecdsa-sha2-nistp384', algorithms: ['ecdsa-sha2-nistp384'] },
  { type: 'ecdsa-sha2-nistp521', algorithms: ['ecdsa-sha2-nistp521'] },
  { type: 'ssh-rsa', algorithms: ['rsa-sha2-512', 'rsa-sha2-256'] },
];

export async function hostKeyCheck(target: Target, options: HostKeyOptions): Promise<HostKeyCheck> {
  if (target.hostKeys === 'off') {
    options.warn(`the host key of ${target.name} is not verified (hostKeys: off)`);
    return { algorithms: orderedAlgorithms([]), check: async () => {} };
  }
  const read = await readKnownHosts(target);
  return {
    algorithms: orderedAlgorithms(knownTypes(read, target)),
    check: async (key) => {
      // Read again: another connection of this run may have recorded the key meanwhile.
      await checkKey(key, target, { ...options, entries: await readKnownHosts(target) });
    },
  };
}

function orderedAlgorithms(known: readonly string[]): string[] {
  const wanted = signatureAlgorithms.filter(({ type }) => known.includes(type));
  const others = signatureAlgorithms.filter(({ type }) => !known.includes(type));
  return [...wanted, ...others].flatMap(({ algorithms }) => algorithms);
}

async function checkKey(key: Buffer, target: Target, options: HostKeyOptions & { entries: readonly KnownHost[] }): Promise<void> {
  const type = keyType(key);
  const verdict = verify(options.entries, target, { type, key });
  if (verdict.kind === 'known') return;
  const print = fingerprint(key);
  if (verdict.kind === 'revoked') {
    throw remoteError(target.name, 'HOST_KEY_REVOKED', {
      message: `${target.name} presented a host key that is revoked (${type} ${print})`,
      where: { host: target.name, file: verdict.entry.file, line: verdict.entry.line },
      hint: 'Do not connect: whoever holds that key may not be the host. Give the host a new key, then remove its old lines.',
    });
  }
  if (verdict.kind === 'changed') throw changed(target, verdict.entry, { type, print });

  const question: HostKeyQuestion = { host: target.name, address: knownHostsName(target.address, target.port), type, fingerprint: print };
  const accepted = target.hostKeys === 'accept-new' || (await options.confirm?.(question)) === true;
  if (!accepted) throw unknown(target, question);
  await record(target, type, key);
}

function changed(target: Target, entry: KnownHost, presented: { type: string; print: string }): SlipwayError {
  const known = `${entry.type} ${fingerprint(Buffer.from(entry.key, 'base64'))}`;
  const name = knownHostsName(target.address, target.port);
  return remoteError(target.name, 'HOST_KEY_CHANGED', {
    message: `the host key of ${target.name} (${name}) has changed: known is ${known}, presented was ${presented.type} ${presented.print}`,
    where: { host: target.name, file: entry.file, line: entry.line },
    hint:
      'Somebody may be answering in its place; nothing was sent to it. If the host was installed anew, compare the fingerprint on its ' +
      `console, then: ssh-keygen -R ${quote(name)} -f ${quote(entry.file)}`,
  });
}

function unknown(target: Target, question: HostKeyQuestion): SlipwayError {
  const port = target.port === 22 ? '' : `-p ${target.port} `;
  return remoteError(target.name, 'HOST_KEY_UNKNOWN', {
    message: `the host key of ${target.name} (${question.address}) is not known: ${question.type} ${question.fingerprint}`,
    hint:
      `Compare the fingerprint with the host's own (ssh-keygen -lf /etc/ssh/ssh_host_*_key.pub on its console), then record it: ` +
      `ssh-keyscan ${port}${quote(target.address)} >> ${target.knownHosts[0] ?? '~/.ssh/known_hosts'}`,
  });
}

/** The first field of a public key in SSH's wire format (RFC 4253 6.6). */
export function keyType(key: Buffer): string {
  const length = key.length < 4 ? 0 : key.readUInt32BE(0);
  return key.subarray(4, 4 + length).toString('latin1');
}

async function readKnownHosts(target: Target): Promise<KnownHost[]> {
  const files = await Promise.all(
    target.knownHosts.map(async (file) => {
      try {
        return parseKnownHosts(await readFile(file, 'utf8'), file);
      } catch (error) {
        if (isCode(error, 'ENOENT', 'ENOTDIR')) return [];
        throw remoteError(target.name, 'KNOWN_HOSTS_UNREADABLE', {
          message: `cannot read ${file}: ${messageOf(error)}`,
          category: 'usage',
          cause: error,
          where: { host: target.name, file },
          hint: 'Make the file readable for you.',
        });
      }
    }),
  );
  return files.flat();
}

let recording: Promise<unknown> = Promise.resolve();

/** One after the other: two hosts that answer at the same time must not write into each other's line. */
async function record(target: Target, type: string, key: Buffer): Promise<void> {
  const file = target.knownHosts[0];
  if (file === undefined) return;
  const line = `${knownHostsName(target.address, target.port)} ${type} ${key.toString('base64')}\n`;
  const mine = recording.then(() => append(file, line));
  recording = mine.catch(() => {});
  try {
    await mine;
  } catch (error) {
    throw remoteError(target.name, 'HOST_KEY_NOT_RECORDED', {
      message: `cannot record the host key of ${target.name} in ${file}: ${messageOf(error)}`,
      category: 'usage',
      cause: error,
      where: { host: target.name, file },
      hint: 'Make the file writable for you, or name another one as knownHosts.',
    });
  }
}

async function append(file: string, line: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const unfinished = await endsInMidLine(file);
  await appendFile(file, unfinished ? `\n${line}` : line, { mode: 0o600 });
}

async function endsInMidLine(file: string): Promise<boolean> {
  try {
    const text = await readFile(file);
    return text.length > 0 && text.at(-1) !== 10;
  } catch (error) {
    if (isCode(error, 'ENOENT')) return false;
    throw error;
  }
}
