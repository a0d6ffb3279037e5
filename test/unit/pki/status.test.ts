import { describe, expect, test } from '@jest/globals';
import { authorities, createAuthority, signer, type Signer } from '../../../src/pki/authorities.ts';
import { issueCertificate } from '../../../src/pki/issue.ts';
import { certificateStatus, specDigest, specFields, type CertificateQuestion } from '../../../src/pki/status.ts';
import type { CertificateSpec, Issued } from '../../../src/pki/types.ts';
import { anySpec, spec } from './specs.ts';

const day = 86_400_000;
const now = Date.parse('2027-03-01T12:00:00Z');
const certificateSha256 = 'c'.repeat(64);
const keySha256 = 'd'.repeat(64);
const authority = { generation: 1, certificateSha256: 'a'.repeat(64), keySha256: 'b'.repeat(64), notAfter: now + 3650 * day };

function issuedFor(wanted: CertificateSpec, changes: Partial<Issued> = {}): Issued {
  return {
    spec: specDigest(wanted, 1),
    issuedFor: specFields(wanted, 1),
    generation: 1,
    certificateSha256,
    keySha256,
    notAfter: now + 365 * day,
    ...changes,
  };
}

function status(changes: Partial<CertificateQuestion> = {}): ReturnType<typeof certificateStatus> {
  return certificateStatus({
    spec: spec(),
    issued: issuedFor(spec()),
    authority,
    hostCertificateSha256: certificateSha256,
    hostKeySha256: keySha256,
    now,
    renewBeforeDays: 60,
    ...changes,
  });
}

describe('a certificate is left alone', () => {
  test('when host, inventory and specification agree', () => {
    expect(status()).toBe('current');
  });

  test('when its names are the same in another order, or its files are to lie elsewhere', () => {
    const moved = spec({ ipAddresses: [...spec().ipAddresses].reverse(), certificatePath: '/elsewhere', owner: 'etcd' });
    expect(status({ spec: moved })).toBe('current');
  });

  test('when it ends with its authority, because another one would end no later', () => {
    const end = now + 10 * day;
    expect(status({ issued: issuedFor(spec(), { notAfter: end }), authority: { ...authority, notAfter: end } })).toBe('current');
  });

  test('right after it was issued, whatever was asked for', async () => {
    const signers = new Map<string, Signer>();
    for (const name of authorities) signers.set(name, await signer(await createAuthority(name, { cluster: 'prod', now })));
    for (let seed = 1000; seed < 1015; seed++) {
      const wanted = anySpec(seed);
      const signing = signers.get(wanted.authority)!;
      const { notAfter } = await issueCertificate(wanted, signing, { now });
      for (const renewBeforeDays of [0, 30, 10_000]) {
        const answer = status({
          spec: wanted,
          issued: issuedFor(wanted, { notAfter }),
          authority: { ...authority, notAfter: signing.notAfter },
          renewBeforeDays,
        });
        expect({ seed, renewBeforeDays, answer }).toEqual({ seed, renewBeforeDays, answer: 'current' });
      }
    }
  });
});

describe('a certificate is issued', () => {
  test.each<[string, Partial<CertificateQuestion>]>([
    ['not issued yet', { issued: undefined, hostCertificateSha256: undefined, hostKeySha256: undefined }],
    ['not issued from this state directory', { issued: undefined }],
    ['missing on host: /etc/kubernetes/pki/apiserver.crt', { hostCertificateSha256: undefined }],
    ['missing on host: /etc/kubernetes/pki/apiserver.key', { hostKeySha256: undefined }],
    ['differs from what was issued: /etc/kubernetes/pki/apiserver.crt', { hostCertificateSha256: 'e'.repeat(64) }],
    ['differs from what was issued: /etc/kubernetes/pki/apiserver.key', { hostKeySha256: 'e'.repeat(64) }],
    ['authority changed', { authority: { ...authority, generation: 2 } }],
    ['authority changed', { authority: undefined }],
    ['authority changed', { spec: spec({ authority: 'etcd', commonName: 'other' }) }],
    [
      'specification changed: IP addresses (was 10.0.0.11 10.96.0.1 127.0.0.1, now 10.0.0.12)',
      { spec: spec({ ipAddresses: ['10.0.0.12'] }) },
    ],
    [
      'specification changed: organizations (was none, now a), usages (was server, now client)',
      { spec: spec({ organizations: ['a'], usages: ['client'] }) },
    ],
    ['specification changed: days of validity (was 365, now 90)', { spec: spec({ validDays: 90 }) }],
    ['expires in 60 days', { now: now + 305 * day }],
    ['expires in 1 day', { now: now + 363.5 * day }],
    ['expires in less than a day', { now: now + 364.5 * day }],
    ['expired on 2028-02-29', { now: now + 365 * day }],
  ])('%s', (reason, changes) => {
    expect(status(changes)).toEqual({ issue: reason });
  });

  test('when the inventory of an older version only knows that the specification changed', () => {
    const { issuedFor: _, ...before } = issuedFor(spec());
    expect(status({ issued: before, spec: spec({ commonName: 'other' }) })).toEqual({ issue: 'specification changed' });
  });

  test('when a short-lived one has less than a third of its days left', () => {
    const short = spec({ validDays: 3 });
    const issued = issuedFor(short, { notAfter: now + 3 * day });
    expect(status({ spec: short, issued, now: now + 1.9 * day })).toBe('current');
    expect(status({ spec: short, issued, now: now + 2.1 * day })).toEqual({ issue: 'expires in less than a day' });
  });
});

describe('the digest of a specification', () => {
  test('differs whenever the certificate would', () => {
    const variants: Partial<CertificateSpec>[] = [
      {},
      { authority: 'etcd' },
      { commonName: 'x' },
      { organizations: ['x'] },
      { usages: ['client'] },
      { dnsNames: ['x'] },
      { ipAddresses: ['10.0.0.1'] },
      { validDays: 1 },
    ];
    const digests = [...variants.map((changes) => specDigest(spec(changes), 1)), specDigest(spec(), 2)];
    expect(new Set(digests).size).toBe(digests.length);
  });

  test('tells one group with a space from two groups, but not a group named twice from the same named once', () => {
    const digest = (...organizations: string[]): string => specDigest(spec({ organizations }), 1);
    expect(digest('a b')).not.toBe(digest('a', 'b'));
    expect(digest('a', 'a')).toBe(digest('a'));
  });
});
