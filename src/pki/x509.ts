import { createHash, createPrivateKey, generateKeyPair, randomBytes, webcrypto } from 'node:crypto';
import { promisify } from 'node:util';

/** The library costs 60 ms to load, which `--help` and `validate` need not pay; it throws unless reflect-metadata came first (PeculiarVentures/x509#57). */
export function loadX509(): Promise<typeof import('@peculiar/x509')> {
  loading ??= import('reflect-metadata').then(() => import('@peculiar/x509'));
  return loading;
}

let loading: Promise<typeof import('@peculiar/x509')> | undefined;

export const signingAlgorithm = { name: 'ECDSA', hash: 'SHA-256' } as const;

export const day = 24 * 60 * 60 * 1000;

/** A host whose clock is a little behind must accept what was just issued. */
const clockTolerance = 5 * 60 * 1000;

/** A P-256 key: the public half as DER (SPKI), the private one as PEM (PKCS #8), which kube-apiserver, etcd, HAProxy and OpenSSL all read. */
export async function newKeyPair(): Promise<{ publicDer: Buffer; keyPem: string }> {
  const { publicKey, privateKey } = await promisify(generateKeyPair)('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { type: 'spki', format: 'der' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  return { publicDer: publicKey, keyPem: privateKey };
}

/** For signing with the library, which wants a WebCrypto key. */
export function importSigningKey(keyPem: string): Promise<webcrypto.CryptoKey> {
  const der = createPrivateKey(keyPem).export({ type: 'pkcs8', format: 'der' });
  return webcrypto.subtle.importKey('pkcs8', der, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign']);
}

/** RFC 5280, 4.2.1.2, method 1, hex: SHA-1 of the point, which is the last 65 bytes of a P-256 SPKI. */
export function keyIdentifier(publicDer: Buffer): string {
  return createHash('sha1').update(publicDer.subarray(-65)).digest('hex');
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
