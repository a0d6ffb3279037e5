import { X509Certificate, createPrivateKey, type webcrypto } from 'node:crypto';
import type { Extension, Name } from '@peculiar/x509';
import { SlipwayError } from '../base/errors.ts';
import type { Authority } from './types.ts';
import { importSigningKey, keyIdentifier, loadX509, newKeyPair, serialNumber, signingAlgorithm, validity } from './x509.ts';

export const authorities: readonly Authority[] = ['etcd', 'kubernetes', 'front-proxy', 'kubelet-client'];

/** Ten years. */
const authorityDays = 3650;

/** What signs: the certificate and its key as PEM. */
export interface AuthorityPair {
  name: Authority;
  certificatePem: string;
  keyPem: string;
}

/** The same, ready to sign many certificates: what is equal in all of them is made once, because the library is slow at it. */
export interface Signer extends AuthorityPair {
  key: webcrypto.CryptoKey;
  issuer: Name;
  extensions: { keyIdentifier: Extension; notAnAuthority: Extension; signatureOnly: Extension };
  /** Milliseconds since 1970. */
  notAfter: number;
}

/** Makes a self-signed P-256 authority that can sign leaves only. `now` in milliseconds since 1970. */
export async function createAuthority(
  name: Authority,
  options: { cluster: string; now: number },
): Promise<AuthorityPair & { notAfter: number }> {
  const x509 = await loadX509();
  const { publicDer, keyPem } = await newKeyPair();
  const times = validity(options.now, authorityDays);
  const self = new x509.Name([{ O: [{ utf8String: options.cluster }] }, { CN: [{ utf8String: `slipway ${name} authority` }] }]);
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: self,
    issuer: self,
    ...times,
    publicKey: publicDer,
    signingKey: await importSigningKey(keyPem),
    signingAlgorithm,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign | x509.KeyUsageFlags.digitalSignature, true),
      new x509.SubjectKeyIdentifierExtension(keyIdentifier(publicDer), false),
    ],
  });
  return { name, certificatePem: `${certificate.toString('pem')}\n`, keyPem, notAfter: times.notAfter.getTime() };
}

/** Imports an authority's key once for many signatures. Throws AUTHORITY_DAMAGED when key and certificate do not belong together. */
export async function signer(pair: AuthorityPair): Promise<Signer> {
  try {
    const certificate = new X509Certificate(pair.certificatePem);
    if (!certificate.checkPrivateKey(createPrivateKey(pair.keyPem))) throw new Error('the key is not the one of the certificate');
    const x509 = await loadX509();
    const parsed = new x509.X509Certificate(pair.certificatePem);
    return {
      ...pair,
      key: await importSigningKey(pair.keyPem),
      issuer: parsed.subjectName,
      extensions: {
        keyIdentifier: await x509.AuthorityKeyIdentifierExtension.create(parsed, false),
        notAnAuthority: new x509.BasicConstraintsExtension(false, undefined, true),
        // keyEncipherment belongs to RSA key exchange only.
        signatureOnly: new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      },
      notAfter: Date.parse(certificate.validTo),
    };
  } catch (cause) {
    throw new SlipwayError(`The ${pair.name} authority cannot be used`, {
      code: 'AUTHORITY_DAMAGED',
      category: 'failed',
      cause,
      hint: 'Restore the state directory from a copy.',
    });
  }
}
