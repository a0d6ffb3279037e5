import { createPrivateKey, webcrypto, X509Certificate } from 'node:crypto';
import { SlipwayError } from '../base/errors.ts';
import type { Authority } from './types.ts';
import { keyAlgorithm, loadX509, newKeyPair, privateKeyPem, serialNumber, signingAlgorithm, validity } from './x509.ts';

export const authorities: readonly Authority[] = ['etcd', 'kubernetes', 'front-proxy', 'kubelet-client'];

/** RKE2 and kubeadm: ten years for an authority (HARDENING 5.8). */
const authorityDays = 3650;

/** What signs: the certificate and its key as PEM. */
export interface AuthorityPair {
  name: Authority;
  certificatePem: string;
  keyPem: string;
}

/** The same, ready to sign many certificates. */
export interface Signer extends AuthorityPair {
  key: webcrypto.CryptoKey;
  /** Milliseconds since 1970. */
  notAfter: number;
}

/** Makes a self-signed P-256 authority that can sign leaves only. `now` in milliseconds since 1970. */
export async function createAuthority(
  name: Authority,
  options: { cluster: string; now: number },
): Promise<AuthorityPair & { notAfter: number }> {
  const x509 = await loadX509();
  const keys = await newKeyPair();
  const times = validity(options.now, authorityDays);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: new x509.Name([{ O: [{ utf8String: options.cluster }] }, { CN: [{ utf8String: `slipway ${name} authority` }] }]),
    ...times,
    keys,
    signingAlgorithm,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign | x509.KeyUsageFlags.digitalSignature, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey, false),
    ],
  });
  return {
    name,
    certificatePem: `${certificate.toString('pem')}\n`,
    keyPem: await privateKeyPem(keys.privateKey),
    notAfter: times.notAfter.getTime(),
  };
}

/** Imports an authority's key once for many signatures. Throws AUTHORITY_DAMAGED when key and certificate do not belong together. */
export async function signer(pair: AuthorityPair): Promise<Signer> {
  try {
    const privateKey = createPrivateKey(pair.keyPem);
    const certificate = new X509Certificate(pair.certificatePem);
    if (!certificate.checkPrivateKey(privateKey)) throw new Error('the key is not the one of the certificate');
    const der = privateKey.export({ type: 'pkcs8', format: 'der' });
    const key = await webcrypto.subtle.importKey('pkcs8', der, keyAlgorithm, false, ['sign']);
    return { ...pair, key, notAfter: Date.parse(certificate.validTo) };
  } catch (cause) {
    throw new SlipwayError(`The ${pair.name} authority cannot be used`, {
      code: 'AUTHORITY_DAMAGED',
      category: 'failed',
      cause,
      hint: 'Restore the state directory from a copy.',
    });
  }
}
