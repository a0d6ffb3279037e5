import { isIP } from 'node:net';
import { SlipwayError, bug } from '../base/errors.ts';
import type { Signer } from './authorities.ts';
import { defaultValidDays } from './status.ts';
import type { CertificateSpec } from './types.ts';
import { day, keyIdentifier, loadX509, newKeyPair, serialNumber, signingAlgorithm, validity } from './x509.ts';

/** A leaf certificate without its chain, and its key, as they are delivered. */
export interface IssuedPair {
  certificatePem: string;
  keyPem: string;
  /** Milliseconds since 1970. */
  notAfter: number;
}

/**
 * Issues one leaf certificate with a new P-256 key. It ends no later than its authority.
 * Throws AUTHORITY_EXPIRED, and BUG for a specification that no component should declare.
 */
export async function issueCertificate(spec: CertificateSpec, authority: Signer, options: { now: number }): Promise<IssuedPair> {
  assertUsable(spec, authority);
  if (authority.notAfter <= options.now) {
    throw new SlipwayError(`The ${authority.name} authority expired on ${new Date(authority.notAfter).toISOString()}`, {
      code: 'AUTHORITY_EXPIRED',
      category: 'refused',
      hint: 'check the clock of this machine first: authorities last for ten years, and one cannot be replaced in a running cluster yet',
    });
  }
  const x509 = await loadX509();
  const { publicDer, keyPem } = await newKeyPair();
  const times = validity(options.now, spec.validDays ?? defaultValidDays);
  const notAfter = Math.min(times.notAfter.getTime(), authority.notAfter);
  const names = [
    ...unique(spec.dnsNames).map((value) => ({ type: 'dns' as const, value })),
    ...unique(spec.ipAddresses).map((value) => ({ type: 'ip' as const, value })),
  ];
  const usages = unique(spec.usages).map((usage) =>
    usage === 'server' ? x509.ExtendedKeyUsage.serverAuth : x509.ExtendedKeyUsage.clientAuth,
  );
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    // Each organization is a relative name of its own, as Go writes them.
    subject: new x509.Name([
      ...unique(spec.organizations).map((value) => ({ O: [{ utf8String: value }] })),
      { CN: [{ utf8String: spec.commonName }] },
    ]),
    issuer: authority.issuer,
    notBefore: times.notBefore,
    notAfter: new Date(notAfter),
    publicKey: publicDer,
    signingKey: authority.key,
    signingAlgorithm,
    extensions: [
      authority.extensions.notAnAuthority,
      authority.extensions.signatureOnly,
      new x509.ExtendedKeyUsageExtension(usages, false),
      authority.extensions.keyIdentifier,
      new x509.SubjectKeyIdentifierExtension(keyIdentifier(publicDer), false),
      ...(names.length > 0 ? [new x509.SubjectAlternativeNameExtension(names, false)] : []),
    ],
  });
  return { certificatePem: `${certificate.toString('pem')}\n`, keyPem, notAfter };
}

function assertUsable(spec: CertificateSpec, authority: Signer): void {
  const problem = (() => {
    if (spec.authority !== authority.name) return `is for the ${spec.authority} authority, not ${authority.name}`;
    if (spec.commonName === '') return 'has no common name';
    if (spec.usages.length === 0) return 'has no usage';
    if (spec.usages.includes('server') && spec.dnsNames.length + spec.ipAddresses.length === 0) return 'is for a server and names no host';
    const address = spec.ipAddresses.find((value) => isIP(value) === 0);
    if (address !== undefined) return `has an address that is none: ${address}`;
    const name = spec.dnsNames.find(
      (value) => !/^(\*\.)?[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$/i.test(value),
    );
    if (name !== undefined) return `has a DNS name that is none: ${name}`;
    const days = spec.validDays ?? defaultValidDays;
    if (!(days > 0) || days * day > 100 * 365 * day) return `is valid for ${days} days`;
    return undefined;
  })();
  if (problem !== undefined) throw bug(`The certificate ${spec.name} ${problem}`);
}

function unique<T>(values: readonly T[]): T[] {
  return [...new Set(values)];
}
