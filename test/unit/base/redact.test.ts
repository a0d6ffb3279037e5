import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { createRedactor } from '../../../src/base/redact.ts';
import { createRandom, cutUp } from '../../helpers/random.ts';

const alphabet = 'abcXYZ019 +/=$\'"\\:-._\n';

function pemKey(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
}

function through(pieces: readonly string[], redactor = createRedactor()): string {
  const filter = redactor.filter();
  return pieces.map((piece) => filter.push(piece)).join('') + filter.end();
}

describe('a secret that was added', () => {
  test('is never in the output, wherever it stands and however many there are', () => {
    const random = createRandom(1);
    for (let round = 0; round < 400; round++) {
      const redactor = createRedactor();
      const secrets = Array.from({ length: 1 + random.below(4) }, () => random.text(alphabet, 4, 30).trim()).filter(
        (secret) => secret.length >= 4,
      );
      for (const secret of secrets) redactor.add(secret);
      const text = Array.from({ length: 10 }, () => random.pick([...secrets, random.text(alphabet, 0, 20)])).join('');
      const output = redactor.redact(text);
      for (const secret of secrets) expect(output).not.toContain(secret);
    }
  });

  test('is never in the output of a filter, however the text is cut', () => {
    const random = createRandom(2);
    for (let round = 0; round < 400; round++) {
      const redactor = createRedactor();
      const secrets = Array.from({ length: 3 }, () => random.text(alphabet, 8, 60).trim()).filter((secret) => secret.length >= 4);
      for (const secret of secrets) redactor.add(secret);
      const text = Array.from({ length: 20 }, () => random.pick([...secrets, '\n', random.text(alphabet, 0, 20)])).join('');
      const output = through(cutUp(random, text), redactor);
      for (const secret of secrets) expect(output).not.toContain(secret);
    }
  });

  test('is also found in base64, in JSON, in a URL and quoted for a shell', () => {
    const redactor = createRedactor();
    const secret = `p'a"ss wörd`;
    redactor.add(secret);
    for (const form of [
      Buffer.from(secret).toString('base64'),
      Buffer.from(`${secret}\n`).toString('base64'),
      JSON.stringify({ value: secret }),
      `https://host/?q=${encodeURIComponent(secret)}`,
      `echo 'p'\\''a"ss wörd'`,
    ]) {
      expect(redactor.redact(form)).toContain('***');
      expect(redactor.redact(form)).not.toContain(form);
    }
  });

  test('is found line by line when it has several lines', () => {
    const redactor = createRedactor();
    const key = pemKey();
    redactor.add(key);
    const body = key.split('\n')[1]!;
    expect(redactor.redact(`read: ${body}`)).toBe('read: ***');
  });

  test('leaves the rest of the text alone', () => {
    const redactor = createRedactor();
    redactor.add('hunter22');
    expect(redactor.redact('the word hunter22 was used twice: hunter22.')).toBe('the word *** was used twice: ***.');
    expect(redactor.redact('nothing here')).toBe('nothing here');
  });

  test('of three characters or fewer is not searched for', () => {
    const redactor = createRedactor();
    redactor.add('the');
    expect(redactor.redact('the other')).toBe('the other');
  });

  test('does not come about again by joining what is left', () => {
    const redactor = createRedactor();
    redactor.add('ab***cd');
    redactor.add('inner-secret');
    expect(redactor.redact('abinner-secretcd')).not.toContain('ab***cd');
  });
});

describe('what looks like a secret', () => {
  const redactor = createRedactor();

  test.each([
    ['a private key', `before\n${pemKey()}after`, 'before\n***\nafter'],
    ['the beginning of a private key', `before\n${pemKey().slice(0, 80)}`, 'before\n***'],
    ['a kubeconfig key', `client-key-data: ${Buffer.from(pemKey()).toString('base64')}`, 'client-key-data: ***'],
    ['a private key in base64 under any name', `tls.key: ${Buffer.from(pemKey()).toString('base64')}`, 'tls.key: ***'],
    ['a bootstrap token', 'join with abcdef.0123456789abcdef now', 'join with *** now'],
    ['a service account token', 'x eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJrdWJlIn0.c2lnbmF0dXJl y', 'x *** y'],
    ['a bearer token', 'Authorization: Bearer 0123456789abcdef', 'Authorization: Bearer ***'],
    ['a password field', 'password: hunter2', 'password: ***'],
    ['a JSON field', '{"token":"abc","name":"x"}', '{"token":***,"name":"x"}'],
    ['a flag', '--token=abc --name=x', '--token=*** --name=x'],
    ['an encryption key', '        - name: key1\n          secret: c2VjcmV0c2VjcmV0\n', '        - name: key1\n          secret: ***\n'],
    ['a password in a URL', 'https://user:pass@host/path', 'https://user:***@host/path'],
  ])('%s is removed', (_name, text, expected) => {
    expect(redactor.redact(text)).toBe(expected);
  });

  test.each([
    ['a certificate', 'client-certificate-data: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSQ=='],
    ['a public key', '-----BEGIN PUBLIC KEY-----\nMFkw\n-----END PUBLIC KEY-----'],
    ['a YAML map under such a name', 'secret:\n  name: x'],
    ['a field whose name only begins like one', 'secretName: x, tokenReview: y'],
    ['a time of day', 'at 10:20:30 on host cp-1:6443'],
  ])('%s stays', (_name, text) => {
    expect(redactor.redact(text)).toBe(text);
  });

  test('is removed by a filter however it is cut', () => {
    const random = createRandom(3);
    const key = pemKey();
    const text = `first\n${key}password: hunter2\ntoken abcdef.0123456789abcdef\nkubeconfig: client-key-data: ${Buffer.from(key).toString('base64')}\nlast`;
    for (let round = 0; round < 200; round++) expect(through(cutUp(random, text))).toBe(redactor.redact(text));
  });
});

describe('a filter', () => {
  test('shows whole lines at once and the rest at the end', () => {
    const filter = createRedactor().filter();
    expect(filter.push('one\ntw')).toBe('one\n');
    expect(filter.push('o\nthree')).toBe('two\n');
    expect(filter.end()).toBe('three');
  });

  test('does not hold a line without end in memory', () => {
    const filter = createRedactor().filter();
    let shown = 0;
    for (let i = 0; i < 100; i++) shown += filter.push('x'.repeat(10_000)).length;
    expect(shown).toBeGreaterThan(900_000);
    expect(shown + filter.end().length).toBe(1_000_000);
  });

  test('finds a secret that stands at any place of a line without end', () => {
    const redactor = createRedactor();
    redactor.add('hunter22-hunter22');
    const text = Array.from({ length: 300 }, (_, i) => `${'y'.repeat(i * 7)}hunter22-hunter22`).join('');
    const random = createRandom(4);
    expect(through(cutUp(random, text), redactor)).toBe(redactor.redact(text));
  });

  test('throws away a private key that has no end, and shows what follows one that has', () => {
    const endless = `a\n-----BEGIN PRIVATE KEY-----\n${'QUJDRA==\n'.repeat(20_000)}`;
    expect(through([endless])).toBe('a\n***');
    const filter = createRedactor().filter();
    const pieces = `${endless}-----END PRIVATE KEY-----\nafter\n`.match(/[\s\S]{1,1000}/g)!;
    expect(pieces.map((piece) => filter.push(piece)).join('') + filter.end()).toBe('a\n***\nafter\n');
  });
});
