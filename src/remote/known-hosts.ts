import { createHash, createHmac } from 'node:crypto';

/** One line of a known_hosts file (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT). */
export interface KnownHost {
  file: string;
  line: number;
  marker: '' | '@revoked' | '@cert-authority';
  hosts: string;
  type: string;
  /** Base64 as in the file. */
  key: string;
}

export interface PresentedKey {
  type: string;
  key: Buffer;
}

export type Verdict =
  | { kind: 'known'; entry: KnownHost }
  | { kind: 'unknown' }
  /** Other keys are known for that name; the first of them. */
  | { kind: 'changed'; entry: KnownHost }
  | { kind: 'revoked'; entry: KnownHost };

/** Lines that are not in the format are ignored, as OpenSSH does. */
export function parseKnownHosts(text: string, file: string): KnownHost[] {
  return text.split('\n').flatMap((raw, index) => {
    const words = raw.trim().split(/[ \t]+/);
    if (words[0] === '' || words[0]!.startsWith('#')) return [];
    const marker = words[0] === '@revoked' || words[0] === '@cert-authority' ? words.shift()! : '';
    const [hosts, type, key] = words;
    if (hosts === undefined || type === undefined || key === undefined || hosts.startsWith('@') || !/^[A-Za-z0-9+/]+=*$/.test(key))
      return [];
    return [{ file, line: index + 1, marker: marker as KnownHost['marker'], hosts, type, key }];
  });
}

/** The name under which a host is looked up: `[host]:port` unless the port is 22. */
export function knownHostsName(address: string, port: number): string {
  const name = address.toLowerCase();
  return port === 22 ? name : `[${name}]:${port}`;
}

/** `SHA256:...` as OpenSSH prints it. */
export function fingerprint(key: Buffer): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`;
}

/** What the files say about a key that a host presents. */
export function verify(entries: readonly KnownHost[], host: { address: string; port: number }, presented: PresentedKey): Verdict {
  const name = knownHostsName(host.address, host.port);
  // A key that is known for the bare name is good for any port of it, but a bare entry never makes another port's key "changed" (as in OpenSSH).
  const names = host.port === 22 ? [name] : [name, knownHostsName(host.address, 22)];
  // Keys first, names then: a fleet's file has a line for every host, and to compare a name can cost a digest.
  const same = entries.filter(({ key }) => Buffer.from(key, 'base64').equals(presented.key));
  const marked = (marker: KnownHost['marker']): KnownHost | undefined =>
    names.flatMap((one) => matching(same, one)).find((entry) => entry.marker === marker);

  const revoked = marked('@revoked');
  if (revoked !== undefined) return { kind: 'revoked', entry: revoked };
  const known = marked('');
  if (known !== undefined) return { kind: 'known', entry: known };
  const others = matching(entries, name).filter((entry) => entry.marker === '');
  const other = others.find((entry) => entry.type === presented.type) ?? others[0];
  return other === undefined ? { kind: 'unknown' } : { kind: 'changed', entry: other };
}

/** The key types that are known for a host, in the order of the files. */
export function knownTypes(entries: readonly KnownHost[], host: { address: string; port: number }): string[] {
  const own = matching(entries, knownHostsName(host.address, host.port));
  const chosen = own.some((entry) => entry.marker === '') ? own : matching(entries, knownHostsName(host.address, 22));
  return [...new Set(chosen.filter((entry) => entry.marker === '').map((entry) => entry.type))];
}

function matching(entries: readonly KnownHost[], name: string): KnownHost[] {
  return entries.filter((entry) => matchesHosts(entry.hosts, name));
}

/** Whether a hosts field (a hashed name, or patterns separated by commas of which `!` negates) matches a name. */
export function matchesHosts(hosts: string, name: string): boolean {
  if (hosts.startsWith('|')) {
    const [, version, salt, hash] = hosts.split('|');
    if (version !== '1' || salt === undefined || hash === undefined) return false;
    return createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest().equals(Buffer.from(hash, 'base64'));
  }
  let matched = false;
  for (const pattern of hosts.toLowerCase().split(',')) {
    const negated = pattern.startsWith('!');
    if (!matchesPattern(negated ? pattern.slice(1) : pattern, name)) continue;
    if (negated) return false;
    matched = true;
  }
  return matched;
}

function matchesPattern(pattern: string, name: string): boolean {
  if (!/[*?]/.test(pattern)) return pattern === name;
  const source = [...pattern].map((c) => (c === '*' ? '.*' : c === '?' ? '.' : c.replace(/[\\^$.|+(){}[\]]/g, '\\$&'))).join('');
  return new RegExp(`^${source}$`, 's').test(name);
}
