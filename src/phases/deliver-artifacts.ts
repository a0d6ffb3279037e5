import { declarations } from '../components/declare.ts';
import { artefactsFor } from '../artifacts/catalogue.ts';
import { contentDigest } from '../artifacts/digest.ts';
import type { Architecture, Artefact } from '../artifacts/types.ts';
import { bug } from '../base/errors.ts';
import type { Declaration } from '../components/component.ts';
import { isNode } from '../components/topology.ts';
import type { Host } from '../config/cluster.ts';
import type { Phase } from '../engine/phase.ts';
import { OPERATOR, type Desired } from '../engine/step.ts';
import { osModule } from '../facts/os/index.ts';
import { plannedHosts, stateOf, type Context } from './context.ts';
import { issueStep } from './issue-certificates.ts';

export const FETCH_STEP = `${OPERATOR}/fetch-artifacts/fetch`;
export const deliveryStep = (host: Host, artefact: string): string => `${host.name}/deliver-artifacts/${artefact}`;
const packageStep = (host: Host, name: string): string => `${host.name}/deliver-artifacts/package-${name}`;

/** Images that every node keeps, so that pods start without a registry. */
export const NODE_IMAGES = ['image-pause', 'image-coredns', 'image-agnhost'] as const;

export const deliverArtifacts: Phase<Context> = {
  id: 'deliver-artifacts',
  title: 'Deliver binaries and images',
  summary: 'Sends each host the binaries and images that it lacks, as one stream, and installs the distribution’s packages.',
  plan: (context) =>
    plannedHosts(context).flatMap((host) => {
      const lane = 'delivery';
      const artefacts: Desired[] = artefactNames(context, host).map((name) => {
        const version = artefactVersion(context, name);
        return {
          id: deliveryStep(host, name),
          host: host.name,
          words: `deliver ${name} ${version}`,
          action: { kind: 'artefact', name, version, digest: lockedDigest(context, host, name) },
          // Issuing takes a moment, and ten times that beside a stream of archives.
          needs: [FETCH_STEP, issueStep(host)],
          lane,
        };
      });
      const system = osModule(context.facts[host.name]!);
      const packages: Desired[] = declarations(context, host)
        .flatMap(({ declaration }) => declaration.packages ?? [])
        .map(({ name, provides }) => {
          if (!system) throw bug(`preflight let an unsupported system pass: ${host.name}`);
          const names = [system.packageNames[name]];
          return {
            id: packageStep(host, name),
            host: host.name,
            words: `install the package ${names.join(', ')}`,
            action: { kind: 'package', names, provides, install: system.installCommand(names, { refresh: false }) },
            lane: 'packages',
          };
        });
      return [...packages, ...artefacts];
    }),
};

/** In the order in which the host can use them. */
export function artefactNames(context: Context, host: Host): string[] {
  const binaries = declarations(context, host).flatMap(({ declaration }) => declaration.artefacts ?? []);
  return [...binaries, ...(isNode(host) ? NODE_IMAGES : [])];
}

export function packageSteps(host: Host, declaration: Declaration): string[] {
  return (declaration.packages ?? []).map(({ name }) => packageStep(host, name));
}

export function artefactOf(context: Context, host: Host, name: string): Artefact {
  const arch = context.facts[host.name]!.arch as Architecture;
  const found = artefactsFor({ kubernetesVersion: context.versions.kubernetes, arch }).find((artefact) => artefact.name === name);
  if (!found) throw bug(`the catalogue has no ${name}`);
  return found;
}

export function artefactVersion(context: Context, name: string): string {
  const found = artefactsFor({ kubernetesVersion: context.versions.kubernetes, arch: 'amd64' }).find((artefact) => artefact.name === name);
  if (!found) throw bug(`the catalogue has no ${name}`);
  return found.version;
}

function lockedDigest(context: Context, host: Host, name: string): string | undefined {
  const { version, arch } = artefactOf(context, host, name);
  const locked = context.lock.artifacts.find((entry) => entry.name === name && entry.version === version && entry.arch === arch);
  return locked && contentDigest(locked.files);
}

/** Whether the host has the locked bytes already. */
export function isDelivered(context: Context, host: Host, name: string): boolean {
  const digest = lockedDigest(context, host, name);
  return digest !== undefined && stateOf(context, host).artefacts[`${name}/${artefactVersion(context, name)}`] === digest;
}
