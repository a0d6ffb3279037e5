import { randomBytes, webcrypto } from 'node:crypto';

/** The library costs 60 ms to load, which `--help` and `validate` need not pay; it throws unless reflect-metadata came first (PeculiarVentures/x509#57). */
export async function loadX509(): Promise<typeof import('@peculiar/x509')> {
  await import('reflect-metadata');
  return import('@peculiar/x509');
}

export const keyAlgorithm = { name: 'ECDSA', namedCurve: 'P-256' } as const;
export const signingAlgorithm = { name: 'ECDSA', hash: 'SHA-256' } as const;

export const day = 24 * 60 * 60 * 1000;

/** A host whose clock is a little behind must accept what was just issued. */
const clockTolerance = 5 * 60 * 1000;

export function newKeyPair(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(keyAlgorithm, true, ['sign', 'verify']);
}

/** PKCS #8, which kube-apiserver, etcd, HAProxy and OpenSSL all read. */
export async function privateKeyPem(key: webcrypto.CryptoKey): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key)).toString('base64');
  return `-----BEGIN PRIVATE KEY-----\n${der.replace(/.{1,64}/g, '$&\n')}-----END PRIVATE KEY-----\n`;
}

/** Hex; positive, not zero and at most 20 octets (RFC 5280, 4.1.2.2). */
export function serialNumber(): string {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0]! & 0x7f) | 0x40;
  return bytes.toString('hex');
}

/** `now` and the result's times in milliseconds since 1970; certificates count in seconds, so the end is rounded up, never short of what was asked. */
export function validity(now: number, days: number): { notBefore: Date; notAfter: Date } {
  const seconds = (milliseconds: number): Date => new Date(Math.ceil(milliseconds / 1000) * 1000);
  return { notBefore: seconds(now - clockTolerance), notAfter: seconds(now + days * day) };
}
