import { list } from '../base/words.ts';
import { declarations } from '../components/declare.ts';
import type { Reference } from '../components/component.ts';
import type { Host } from '../config/cluster.ts';
import type { Phase } from '../engine/phase.ts';
import { OPERATOR, type Desired } from '../engine/step.ts';
import { certificateStatus } from '../pki/status.ts';
import type { Authority, CertificateSpec } from '../pki/types.ts';
import { plannedHosts, stateOf, type Context } from './context.ts';
import { issueStep, sharedStep } from './step-ids.ts';

/** Days before its end at which a leaf certificate is replaced. */
const RENEW_BEFORE_DAYS = 90;

const AUTHORITIES: readonly Authority[] = ['kubernetes', 'kubelet-client', 'etcd', 'front-proxy'];
const DOCUMENTS = ['service-account.key', 'service-account.pub', 'encryption-config.yaml', 'client-ca.crt', 'cluster-id'] as const;

export interface IssueParameters {
  host: string;
  certificates: readonly CertificateSpec[];
}

export interface SharedParameters {
  authorities: readonly Authority[];
  documents: readonly string[];
}

export const issueCertificates: Phase<Context> = {
  id: 'issue-certificates',
  title: 'Issue certificates',
  summary: 'Makes the cluster’s authorities and keys once, and issues every certificate that is missing, changed or near its end.',
  plan(context) {
    const { inventory } = context;
    const authorities = AUTHORITIES.filter((name) => !inventory.authorities[name]);
    const documents = DOCUMENTS.filter((name) => !inventory.secrets[name]);
    const steps: Desired[] = [];
    if (authorities.length + documents.length > 0) {
      const parameters: SharedParameters = { authorities, documents };
      steps.push({
        id: sharedStep,
        host: OPERATOR,
        summary: `make ${madeForAll(authorities, documents)}`,
        action: { kind: 'local', task: 'make-shared', parameters },
      });
    }
    for (const host of plannedHosts(context)) {
      const due = certificatesOf(context, host).filter((certificate) => !certificateState(context, host, certificate).current);
      if (due.length === 0) continue;
      const parameters: IssueParameters = { host: host.name, certificates: due };
      steps.push({
        id: issueStep(host),
        host: OPERATOR,
        summary: `issue ${due.length} ${due.length === 1 ? 'certificate' : 'certificates'} for ${host.name} (${due.map(({ name }) => name).join(', ')})`,
        action: { kind: 'local', task: 'issue', parameters },
        ...(authorities.length > 0 ? { needs: [sharedStep] } : {}),
      });
    }
    return steps;
  },
};

function madeForAll(authorities: readonly string[], documents: readonly string[]): string {
  const secrets = documents.filter((name) => name !== 'cluster-id').length;
  return list([
    ...(authorities.length > 0 ? [`${authorities.length} certificate authorities`] : []),
    ...(secrets > 0 ? [`${secrets} shared secrets`] : []),
    ...(secrets < documents.length ? ["the cluster's id"] : []),
  ]);
}

function certificatesOf(context: Context, host: Host): CertificateSpec[] {
  return declarations(context, host).flatMap(({ declaration }) => declaration.certificates ?? []);
}

/** Whether a certificate can stay, and the generation that the host will have after this plan. */
export function certificateState(
  context: Context,
  host: Host,
  spec: CertificateSpec,
): { current: boolean; generation: number; reason: string | undefined } {
  const { files } = stateOf(context, host);
  const issued = context.inventory.certificates[`${host.name}/${spec.name}`];
  const status = certificateStatus({
    spec,
    issued,
    authority: context.inventory.authorities[spec.authority],
    hostCertificateSha256: files[spec.certificatePath]?.sha256,
    hostKeySha256: files[spec.keyPath]?.sha256,
    now: context.now,
    renewBeforeDays: RENEW_BEFORE_DAYS,
  });
  const generation = issued?.generation ?? 0;
  return status === 'current'
    ? { current: true, generation, reason: undefined }
    : { current: false, generation: generation + 1, reason: status.issue };
}

/** What is known of something that the whole cluster shares; it exists once, so its next generation is its first. */
export function referenceState({ inventory }: Context, ref: Reference): { sha256: string | undefined; generation: number } {
  const [kind, name] = ref.split(':') as [string, string];
  if (kind === 'document') return inventory.secrets[name] ?? { sha256: undefined, generation: 1 };
  const authority = inventory.authorities[name as Authority];
  if (!authority) return { sha256: undefined, generation: 1 };
  return { sha256: kind === 'authority-key' ? authority.keySha256 : authority.certificateSha256, generation: authority.generation };
}
