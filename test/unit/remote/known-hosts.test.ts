import { execFileSync } from 'node:child_process';
import { createHmac, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { fingerprint, knownTypes, matchesHosts, parseKnownHosts, verify, type Verdict } from '../../../src/remote/known-hosts.ts';

let directory: string;
/** Public keys as they stand in a .pub file: "type base64". */
let ed25519: string, otherEd25519: string, ecdsa: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'slipway-known-hosts-'));
  [ed25519, otherEd25519, ecdsa] = ['ed25519', 'ed25519', 'ecdsa'].map((type, index) => {
    const path = join(directory, `key${index}`);
    execFileSync('ssh-keygen', ['-q', '-t', type, '-N', '', '-f', path]);
    return execFileSync('ssh-keygen', ['-y', '-f', path]).toString().trim().split(' ').slice(0, 2).join(' ');
  }) as [string, string, string];
});

afterAll(() => rmSync(directory, { recursive: true }));

function presented(publicKey: string): { type: string; key: Buffer } {
  const [type, base64] = publicKey.split(' ');
  return { type: type!, key: Buffer.from(base64!, 'base64') };
}

function hashed(name: string): string {
  const salt = randomBytes(20);
  return `|1|${salt.toString('base64')}|${createHmac('sha1', salt).update(name).digest('base64')}`;
}

function verdict(text: string, host: { address: string; port: number }, publicKey: string): Verdict {
  return verify(parseKnownHosts(text, 'known_hosts'), host, presented(publicKey));
}

const host = { address: '10.0.0.11', port: 22 };

describe('a presented key is', () => {
  test.each<[string, (key: string) => string]>([
    ['a plain name', (key) => `10.0.0.11 ${key}`],
    ['one of several names', (key) => `cp-1,10.0.0.11,cp-1.example ${key} root@cp-1`],
    ['a hashed name', (key) => `${hashed('10.0.0.11')} ${key}`],
    ['a pattern with *', (key) => `10.0.*.11 ${key}`],
    ['a pattern with ?', (key) => `10.0.0.1? ${key}`],
    ['a line after comments, blank and broken lines', (key) => `# note\n\n10.0.0.11\n10.0.0.11 ssh-ed25519 !!!\r\n  10.0.0.11\t${key}\r\n`],
    ['one of two keys', (key) => `10.0.0.11 ${otherEd25519}\n10.0.0.11 ${key}`],
  ])('known by %s', (_name, line) => {
    expect(verdict(line(ed25519), host, ed25519).kind).toBe('known');
  });

  test('known on another port by [host]:port', () => {
    const text = `[10.0.0.11]:2222 ${ed25519}`;
    expect(verdict(text, { ...host, port: 2222 }, ed25519).kind).toBe('known');
    expect(verdict(text, host, ed25519).kind).toBe('unknown');
    expect(verdict(`${hashed('[10.0.0.11]:2222')} ${ed25519}`, { ...host, port: 2222 }, ed25519).kind).toBe('known');
  });

  test('known on another port by the same key of the bare name, but not changed by a different one', () => {
    expect(verdict(`10.0.0.11 ${ed25519}`, { ...host, port: 2222 }, ed25519).kind).toBe('known');
    expect(verdict(`10.0.0.11 ${otherEd25519}`, { ...host, port: 2222 }, ed25519).kind).toBe('unknown');
  });

  test('known whatever the case of the name', () => {
    expect(verdict(`CP-1.Example ${ed25519}`, { address: 'cp-1.EXAMPLE', port: 22 }, ed25519).kind).toBe('known');
  });

  test('changed when only other keys are known, with file and line of the one of its type', () => {
    const text = `other ${ed25519}\n10.0.0.11 ${ecdsa}\n10.0.0.11 ${otherEd25519}`;
    expect(verdict(text, host, ed25519)).toMatchObject({ kind: 'changed', entry: { file: 'known_hosts', line: 3 } });
  });

  test('changed when the host is known by another type only: the server was asked for that type first', () => {
    expect(verdict(`10.0.0.11 ${ecdsa}`, host, ed25519)).toMatchObject({ kind: 'changed', entry: { line: 1 } });
  });

  test.each<[string, (key: string) => string]>([
    ['nothing is known', () => ''],
    ['a negated pattern excludes the name', (key) => `*,!10.0.0.11 ${key}`],
    ['only a certificate authority is known', (key) => `@cert-authority * ${key}`],
    ['the name is only a part of the one in the file', (key) => `10.0.0.111,x10.0.0.11 ${key}`],
    ['a dot must match itself', (key) => `10x0.0.11 ${key}`],
    ['the hash is of another version', (key) => `${hashed('10.0.0.11').replace('|1|', '|2|')} ${key}`],
  ])('unknown when %s', (_name, line) => {
    expect(verdict(line(ed25519), host, ed25519).kind).toBe('unknown');
  });

  test('revoked even if another line knows it', () => {
    const text = `10.0.0.11 ${ed25519}\n@revoked * ${ed25519}`;
    expect(verdict(text, host, ed25519)).toMatchObject({ kind: 'revoked', entry: { line: 2 } });
    expect(verdict(`10.0.0.11 ${ed25519}\n@revoked * ${ecdsa}`, host, ed25519).kind).toBe('known');
  });
});

test('the known types of a host are those the server is asked for first', () => {
  const entries = parseKnownHosts(`10.0.0.11 ${ecdsa}\n@revoked 10.0.0.11 ${ed25519}\nother ${ed25519}`, 'f');
  expect(knownTypes(entries, host)).toEqual(['ecdsa-sha2-nistp256']);
  expect(knownTypes(entries, { ...host, port: 2222 })).toEqual(['ecdsa-sha2-nistp256']);
});

test('a fingerprint is the one that ssh-keygen prints', () => {
  const path = join(directory, 'key0.pub');
  const printed = execFileSync('ssh-keygen', ['-lf', path]).toString().split(' ')[1];
  expect(fingerprint(presented(ed25519).key)).toBe(printed);
});

test('names match as ssh-keygen -F finds them', () => {
  const fields = [
    'cp-1',
    'cp-*',
    '*.example',
    '*',
    '!cp-1,*',
    '*,!cp-1',
    'cp-?',
    '10.0.0.1,cp-2',
    '[cp-1]:2222',
    'CP-1',
    hashed('cp-1'),
    hashed('[cp-1]:2222'),
  ];
  const names = ['cp-1', 'cp-2', 'cp-10', 'a.example', 'example', '10.0.0.1', '[cp-1]:2222'];
  for (const field of fields) {
    const file = join(directory, 'one-line');
    writeFileSync(file, `${field} ${ed25519}\n`);
    for (const name of names) expect([field, name, matchesHosts(field, name)]).toEqual([field, name, foundByOpenSsh(file, name)]);
  }
});

function foundByOpenSsh(file: string, name: string): boolean {
  try {
    return execFileSync('ssh-keygen', ['-F', name, '-f', file]).length > 0;
  } catch {
    return false;
  }
}
