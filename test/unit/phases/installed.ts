import { apply } from '../../../playbooks/apply.ts';
import { artefactsFor } from '../../../src/artifacts/catalogue.ts';
import { declarations } from '../../../src/components/declare.ts';
import type { Host } from '../../../src/config/cluster.ts';
import { makePlan } from '../../../src/engine/plan.ts';
import { wantedDigest } from '../../../src/engine/plan.ts';
import { emptyState, type HostState } from '../../../src/engine/state.ts';
import type { Step } from '../../../src/engine/step.ts';
import { ENDPOINT_PROBE } from '../../../src/phases/api-endpoint.ts';
import type { Context } from '../../../src/phases/context.ts';
import { specDigest } from '../../../src/pki/status.ts';
import { statesAfter } from './context.ts';

/** A digest of 64 hex digits that a reader recognises. */
export const digest = (text: string): string =>
  text
    .padEnd(64, '0')
    .slice(0, 64)
    .replace(/[^0-9a-f]/g, 'a');

/** The context of an installed cluster: everything issued, everything fetched, every host as the plan left it. */
export function installed(fresh: Context): { context: Context; states: Record<string, HostState> } {
  const authority = { generation: 1, certificateSha256: digest('c'), keySha256: digest('d'), notAfter: fresh.now + 3650 * 86_400_000 };
  const certificates = fresh.cluster.hosts.flatMap((host) =>
    declarations(fresh, host).flatMap(({ declaration }) =>
      (declaration.certificates ?? []).map((spec) => [
        `${host.name}/${spec.name}`,
        {
          spec: specDigest(spec, 1),
          generation: 1,
          certificateSha256: digest('1'),
          keySha256: digest('2'),
          notAfter: fresh.now + 365 * 86_400_000,
          host,
          paths: spec,
        },
      ]),
    ),
  );
  const known: Context = {
    ...fresh,
    inventory: {
      authorities: { etcd: authority, kubernetes: authority, 'front-proxy': authority, 'kubelet-client': authority },
      certificates: Object.fromEntries(certificates) as Context['inventory']['certificates'],
      secrets: Object.fromEntries(
        ['service-account.key', 'service-account.pub', 'encryption-config.yaml', 'client-ca.crt', 'cluster-id'].map((name) => [
          name,
          { generation: 1, sha256: digest('3') },
        ]),
      ),
    },
    lock: {
      version: 1,
      artifacts: artefactsFor({ kubernetesVersion: fresh.versions.kubernetes, arch: 'amd64' }).map(({ files, ...artefact }) => ({
        ...artefact,
        source: 'test',
        files: Object.fromEntries(files.map((file) => [file, digest('4')])),
      })),
    },
  };
  const issued = Object.fromEntries(
    known.cluster.hosts.map((host) => [
      host.name,
      // A load balancer reads its list when it starts.
      { ...emptyState, files: certificateFiles(known, host), probes: { [ENDPOINT_PROBE.name]: 'read' } },
    ]),
  );
  const states = statesAfter(makePlan(apply, { ...known, states: issued }, issued).steps, issued);
  // Certificates were written once, too.
  for (const step of makePlan(apply, { ...known, states: {} }, {}).steps)
    if (step.action.kind === 'file') states[step.host] = withRecord(states[step.host]!, step);
  return { context: { ...known, states }, states };
}

function withRecord(state: HostState, step: Step): HostState {
  return { ...state, recorded: { ...state.recorded, [step.id]: wantedDigest(step) } };
}

/** Certificates lie on a host as they were issued. */
function certificateFiles(context: Context, host: Host): HostState['files'] {
  return Object.fromEntries(
    declarations(context, host).flatMap(({ declaration }) =>
      (declaration.certificates ?? []).flatMap(({ certificatePath, keyPath, owner }) => [
        [certificatePath, { sha256: digest('1'), mode: '0644', owner }],
        [keyPath, { sha256: digest('2'), mode: '0600', owner }],
      ]),
    ),
  );
}
