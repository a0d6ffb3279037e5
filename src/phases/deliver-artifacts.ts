import { declarations } from '../components/declare.ts';
import { artefactsFor } from '../artifacts/catalogue.ts';
import { contentDigest } from '../artifacts/digest.ts';
import { packageFile, packagesName, systemOf } from '../artifacts/package-names.ts';
import type { Architecture, Artefact, LockedArtefact } from '../artifacts/types.ts';
import { bug } from '../base/errors.ts';
import type { Declaration, PackageUse } from '../components/component.ts';
import { isNode } from '../components/topology.ts';
import type { Cluster, Host } from '../config/cluster.ts';
import type { Phase } from '../engine/phase.ts';
import { OPT } from '../engine/state.ts';
import type { Desired, StepId } from '../engine/step.ts';
import { osModule } from '../facts/os/index.ts';
import { plannedHosts, stateOf, type Context } from './context.ts';
import { deliveryStep, fetchStep, issueStep, packageStep } from './step-ids.ts';

/** Images that every node keeps, so that pods start without a registry. */
export function nodeImages({ addons }: Pick<Cluster, 'addons'>): string[] {
  return ['image-pause', 'image-coredns', 'image-agnhost', ...(addons.metricsServer ? ['image-metrics-server'] : [])];
}

export const deliverArtifacts: Phase<Context> = {
  id: 'deliver-artifacts',
  title: 'Deliver binaries and images',
  summary: 'Sends each host the binaries and images that it lacks, as one stream, and installs the distribution’s packages.',
  plan: (context) =>
    plannedHosts(context).flatMap((host) => {
      const lane = 'delivery';
      const bundled = bundledPackages(context, host);
      const artefacts: Desired[] = [...(bundled ? [bundled.name] : []), ...artefactNames(context, host)].map((name) => {
        const version = name === bundled?.name ? bundled.version : artefactVersion(context, name);
        return {
          id: deliveryStep(host, name),
          host: host.name,
          summary: `deliver ${name} ${version}`,
          action: { kind: 'artefact', name, version, digest: lockedDigest(context, host, name) },
          // Issuing takes a moment, and ten times that beside a stream of archives.
          after: [fetchStep, issueStep(host)],
          lane,
        };
      });
      const system = osModule(context.facts[host.name]!);
      const uses = declarations(context, host).flatMap(({ declaration }) => declaration.packages ?? []);
      const packages: Desired[] = uses.map(({ name, provides }) => {
        if (!system) throw bug(`preflight let an unsupported system pass: ${host.name}`);
        const names = [system.packageNames[name]];
        const fromBundle = bundled && bundled.files[packageFile(names[0]!)] !== undefined && system.installFilesCommand;
        return {
          id: packageStep(host, name),
          host: host.name,
          summary: `install the package ${names.join(', ')}${fromBundle ? ' from the bundle' : ''}`,
          action: {
            kind: 'package',
            names,
            provides,
            install: fromBundle
              ? fromBundle(names, {
                  directory: `${OPT}/${bundled.name}/${bundled.version}`,
                  wanted: uses.map((use) => system.packageNames[use.name]),
                })
              : system.installCommand(names, { refresh: false }),
          },
          ...(fromBundle ? { needs: [deliveryStep(host, bundled.name)] } : {}),
          lane: 'packages',
        };
      });
      return [...packages, ...artefacts];
    }),
};

/** In the order in which the host can use them. */
export function artefactNames(context: Context, host: Host): string[] {
  const binaries = declarations(context, host).flatMap(({ declaration }) => declaration.artefacts ?? []);
  return [...binaries, ...(isNode(host) ? nodeImages(context.cluster) : [])];
}

export function packageSteps(host: Host, declaration: Declaration): StepId[] {
  return (declaration.packages ?? []).map(({ name }) => packageStep(host, name));
}

/** The packages that a bundle has for a host, as long as something of them is missing there. */
export function bundledPackages(context: Context, host: Host): LockedArtefact | undefined {
  const { os, arch } = context.facts[host.name]!;
  const found = context.packages?.find((entry) => entry.name === packagesName(systemOf(os)) && entry.arch === arch);
  return found && missingPackages(context, host).length > 0 ? found : undefined;
}

/** The packages that are still to be installed on a host. */
export function missingPackages(context: Context, host: Host): PackageUse[] {
  const { commands } = stateOf(context, host);
  return declarations(context, host)
    .flatMap(({ declaration }) => declaration.packages ?? [])
    .filter(({ provides }) => !provides.every((command) => commands.includes(command)));
}

export function artefactOf(context: Context, host: Host, name: string): Artefact {
  const bundled = bundledPackages(context, host);
  if (bundled?.name === name) return { name, version: bundled.version, arch: bundled.arch, files: Object.keys(bundled.files) };
  const arch = context.facts[host.name]!.arch as Architecture;
  return inCatalogue(context, name, arch);
}

export function artefactVersion(context: Context, name: string): string {
  return inCatalogue(context, name, 'amd64').version;
}

function inCatalogue({ versions }: Context, name: string, arch: Architecture): Artefact {
  const all = artefactsFor({ kubernetesVersion: versions.kubernetes, arch, metricsServer: true });
  const found = all.find((artefact) => artefact.name === name);
  if (!found) throw bug(`the catalogue has no ${name}`);
  return found;
}

export function lockedDigest(context: Context, host: Host, name: string): string | undefined {
  const { version, arch } = artefactOf(context, host, name);
  const locked = [...context.lock.artifacts, ...(context.packages ?? [])].find(
    (entry) => entry.name === name && entry.version === version && entry.arch === arch,
  );
  return locked && contentDigest(locked.files);
}

/** Whether the host has the locked bytes already. */
export function isDelivered(context: Context, host: Host, name: string): boolean {
  const digest = lockedDigest(context, host, name);
  return digest !== undefined && stateOf(context, host).artefacts[`${name}/${artefactOf(context, host, name).version}`] === digest;
}
