import { X509Certificate, createPrivateKey } from 'node:crypto';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { authorities, createAuthority, signer, type AuthorityPair, type Signer } from '../../../src/pki/authorities.ts';
import { issueCertificate } from '../../../src/pki/issue.ts';
import type { CertificateSpec } from '../../../src/pki/types.ts';
import { anySpec, spec } from './specs.ts';

const now = Date.parse('2027-03-01T12:00:00.250Z');
const day = 86_400_000;
const pairs = new Map<string, AuthorityPair & { notAfter: number }>();
const signers = new Map<string, Signer>();

beforeAll(async () => {
  for (const name of authorities) {
    pairs.set(name, await createAuthority(name, { cluster: 'prod', now }));
    signers.set(name, await signer(pairs.get(name)!));
  }
});

async function issue(wanted: CertificateSpec): Promise<{ leaf: X509Certificate; issuer: X509Certificate; keyPem: string; pem: string }> {
  const issued = await issueCertificate(wanted, signers.get(wanted.authority)!, { now });
  const issuer = new X509Certificate(pairs.get(wanted.authority)!.certificatePem);
  return { leaf: new X509Certificate(issued.certificatePem), issuer, keyPem: issued.keyPem, pem: issued.certificatePem };
}

describe('an authority', () => {
  test.each(authorities)('%s signs certificates for ten years and names its cluster', (name) => {
    const certificate = new X509Certificate(pairs.get(name)!.certificatePem);
    expect(certificate.ca).toBe(true);
    expect(certificate.subject).toBe(`O=prod\nCN=slipway ${name} authority`);
    expect(certificate.checkIssued(certificate) && certificate.verify(certificate.publicKey)).toBe(true);
    expect(certificate.publicKey.asymmetricKeyDetails).toEqual({ namedCurve: 'prime256v1' });
    expect(Date.parse(certificate.validFrom)).toBe(Date.parse('2027-03-01T11:55:01Z'));
    expect(Date.parse(certificate.validTo)).toBe(Date.parse('2027-03-01T12:00:01Z') + 3650 * day);
    expect(Date.parse(certificate.validTo)).toBe(pairs.get(name)!.notAfter);
  });

  test('with the key of another one cannot be used', async () => {
    const mixed = { ...pairs.get('etcd')!, keyPem: pairs.get('kubernetes')!.keyPem };
    await expect(signer(mixed)).rejects.toMatchObject({
      code: 'AUTHORITY_DAMAGED',
      cause: { message: expect.stringContaining('not the one') },
    });
  });

  test('that has expired issues nothing', async () => {
    const expired = { ...signers.get('kubernetes')!, notAfter: now };
    await expect(issueCertificate(spec(), expired, { now })).rejects.toMatchObject({ code: 'AUTHORITY_EXPIRED' });
  });
});

describe('a certificate', () => {
  test('carries names, addresses, groups and usages of its specification', async () => {
    const wanted = spec({ organizations: ['system:masters', 'b'], usages: ['server', 'client'] });
    const { leaf } = await issue(wanted);
    expect(leaf.subject).toBe('O=system:masters\nO=b\nCN=kube-apiserver');
    expect(leaf.subjectAltName).toBe(
      'DNS:cp-1, DNS:kubernetes.default.svc.cluster.local, IP Address:10.0.0.11, IP Address:10.96.0.1, IP Address:127.0.0.1',
    );
    expect(leaf.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2']);
    expect(leaf.ca).toBe(false);
  });

  test('for a client only cannot serve, and needs no names', async () => {
    const { leaf } = await issue(spec({ usages: ['client'], dnsNames: [], ipAddresses: [] }));
    expect(leaf.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2']);
    expect(leaf.subjectAltName).toBeUndefined();
  });

  test('is valid for a year, and from five minutes ago for hosts whose clock is behind', async () => {
    const { leaf } = await issue(spec());
    expect(Date.parse(leaf.validFrom)).toBe(Date.parse('2027-03-01T11:55:01Z'));
    expect(Date.parse(leaf.validTo)).toBe(Date.parse('2027-03-01T12:00:01Z') + 365 * day);
  });

  test('ends no later than its authority', async () => {
    const { leaf } = await issue(spec({ validDays: 5000 }));
    expect(Date.parse(leaf.validTo)).toBe(pairs.get('kubernetes')!.notAfter);
  });

  test('is one PEM block, without its chain', async () => {
    const { pem } = await issue(spec());
    expect(pem).toMatch(/^-----BEGIN CERTIFICATE-----\n([\w+/=]{1,64}\n)+-----END CERTIFICATE-----\n$/);
  });

  test('never shares a serial number or a key', async () => {
    const many = await Promise.all(Array.from({ length: 20 }, () => issue(spec())));
    expect(new Set(many.map(({ leaf }) => leaf.serialNumber)).size).toBe(20);
    expect(new Set(many.map(({ keyPem }) => keyPem)).size).toBe(20);
    for (const { leaf } of many) expect(leaf.serialNumber).toMatch(/^[4-7][0-9A-F]{31}$/);
  });

  test('holds for any specification: signed by its authority, with its own key, saying what was asked', async () => {
    for (let seed = 0; seed < 25; seed++) {
      const wanted = anySpec(seed);
      const { leaf, issuer, keyPem } = await issue(wanted);
      expect(leaf.checkIssued(issuer) && leaf.verify(issuer.publicKey)).toBe(true);
      expect(leaf.checkPrivateKey(createPrivateKey(keyPem))).toBe(true);
      const subject = leaf.toLegacyObject().subject as unknown as { CN: string; O?: string | string[] };
      expect(subject.CN).toBe(wanted.commonName);
      expect([subject.O ?? []].flat()).toEqual([...new Set(wanted.organizations)]);
      for (const name of wanted.dnsNames) expect(leaf.checkHost(name.replace('*', 'any'))).toBeDefined();
      for (const address of wanted.ipAddresses) expect(leaf.checkIP(address)).toBe(address);
    }
  });
});

describe('a specification that no component should declare is refused', () => {
  test.each<[string, Partial<CertificateSpec>]>([
    ['is for the etcd authority, not kubernetes', { authority: 'etcd' }],
    ['has no common name', { commonName: '' }],
    ['has no usage', { usages: [] }],
    ['names no host', { dnsNames: [], ipAddresses: [] }],
    ['has an address that is none: 10.0.0.300', { ipAddresses: ['10.0.0.300'] }],
    ['has a DNS name that is none: a b', { dnsNames: ['a b'] }],
    ['has a DNS name that is none: 漢', { dnsNames: ['漢'] }],
    ['is valid for 0 days', { validDays: 0 }],
    ['is valid for NaN days', { validDays: Number.NaN }],
  ])('%s', async (problem, changes) => {
    const refused = issueCertificate(spec(changes), signers.get('kubernetes')!, { now });
    await expect(refused).rejects.toMatchObject({ code: 'BUG', message: expect.stringContaining(problem) });
  });
});
