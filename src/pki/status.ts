import { createHash } from 'node:crypto';
import type { CertificateSpec, Inventory, Issued } from './types.ts';

/** One year for a leaf. */
export const defaultValidDays = 365;

const day = 24 * 60 * 60 * 1000;

export interface CertificateQuestion {
  spec: CertificateSpec;
  /** What the inventory has under `host/name`. */
  issued: Issued | undefined;
  /** What the inventory has of the specification's authority; undefined: not made yet. */
  authority: Inventory['authorities'][CertificateSpec['authority']];
  /** sha256 of the files on the host; undefined: not there. */
  hostCertificateSha256: string | undefined;
  hostKeySha256: string | undefined;
  /** Milliseconds since 1970. */
  now: number;
  renewBeforeDays: number;
}

/** Whether a host's certificate must be issued anew, and why, in words for the plan. Decided from specification and inventory; nobody has the bytes. */
export function certificateStatus(question: CertificateQuestion): 'current' | { issue: string } {
  const { spec, issued, authority, hostCertificateSha256, hostKeySha256 } = question;
  if (issued === undefined) {
    return {
      issue: hostCertificateSha256 === undefined && hostKeySha256 === undefined ? 'not issued yet' : 'not issued from this state directory',
    };
  }
  if (authority === undefined) return { issue: 'authority changed' };
  if (hostCertificateSha256 === undefined) return { issue: `missing on host: ${spec.certificatePath}` };
  if (hostKeySha256 === undefined) return { issue: `missing on host: ${spec.keyPath}` };
  if (hostCertificateSha256 !== issued.certificateSha256) return { issue: `differs from what was issued: ${spec.certificatePath}` };
  if (hostKeySha256 !== issued.keySha256) return { issue: `differs from what was issued: ${spec.keyPath}` };
  if (issued.spec !== specDigest(spec, authority.generation)) return { issue: changeOf(spec, issued, authority.generation) };
  return nearItsEnd(question, issued, authority);
}

/** sha256 (hex) of everything that the bytes of a certificate depend on; where the files go is not part of it. */
export function specDigest(spec: CertificateSpec, authorityGeneration: number): string {
  return createHash('sha256')
    .update(JSON.stringify(content(spec, authorityGeneration)))
    .digest('hex');
}

/** The same as text, field by field. */
export function specFields(spec: CertificateSpec, authorityGeneration: number): Record<string, string> {
  return Object.fromEntries(Object.entries(content(spec, authorityGeneration)).map(([field, values]) => [field, values.join(' ')]));
}

/** Lists that are sets are sorted: their order changes nothing. */
function content(spec: CertificateSpec, authorityGeneration: number): Record<string, readonly (string | number)[]> {
  return {
    authority: [spec.authority, authorityGeneration],
    'common name': [spec.commonName],
    organizations: set(spec.organizations),
    usages: set(spec.usages),
    'DNS names': set(spec.dnsNames),
    'IP addresses': set(spec.ipAddresses),
    'days of validity': [spec.validDays ?? defaultValidDays],
  };
}

function set(values: readonly string[]): string[] {
  return [...new Set(values)].sort();
}

function changeOf(spec: CertificateSpec, issued: Issued, authorityGeneration: number): string {
  const before = issued.issuedFor;
  if (before === undefined) return 'specification changed';
  const changed = Object.entries(specFields(spec, authorityGeneration)).filter(([field, value]) => before[field] !== value);
  if (changed.some(([field]) => field === 'authority')) return 'authority changed';
  const words = changed.map(([field, value]) => `${field} (was ${before[field] || 'none'}, now ${value || 'none'})`);
  return words.length === 0 ? 'specification changed' : `specification changed: ${words.join(', ')}`;
}

function nearItsEnd(
  { spec, now, renewBeforeDays }: CertificateQuestion,
  issued: Issued,
  authority: { notAfter: number },
): 'current' | { issue: string } {
  const left = issued.notAfter - now;
  // Another certificate would end at the same moment, with its authority: that one must be replaced first.
  if (left > 0 && issued.notAfter >= authority.notAfter) return 'current';
  // A short-lived certificate would otherwise be due from its first moment.
  const due = Math.min(renewBeforeDays, (spec.validDays ?? defaultValidDays) / 3) * day;
  if (left > due) return 'current';
  if (left <= 0) return { issue: `expired on ${new Date(issued.notAfter).toISOString().slice(0, 10)}` };
  return { issue: `expires in ${days(left / day)}` };
}

function days(count: number): string {
  if (count < 1) return 'less than a day';
  return Math.floor(count) === 1 ? '1 day' : `${Math.floor(count)} days`;
}
