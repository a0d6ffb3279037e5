import semver from 'semver';
import { filesOf } from '../artifacts/catalogue.ts';
import { declarations, type Declared } from '../components/declare.ts';
import { components } from '../components/index.ts';
import { BIN } from '../components/topology.ts';
import type { Component, FileSpec, Flag, UnitSpec } from '../components/component.ts';
import type { Host } from '../config/cluster.ts';
import { digestOf, wantedDigest } from '../engine/plan.ts';
import { stepId, waiting, type Content, type Desired, type FileAction, type UnitAction } from '../engine/step.ts';
import { artefactVersion, lockedDigest, packageSteps } from './deliver-artifacts.ts';
import { foreignUnits } from './foreign/units.ts';
import { certificateState, referenceState } from './issue-certificates.ts';
import { oncePerContext, plannedHosts, type Context } from './context.ts';
import { deliveryStep, issueStep, sharedStep, stopForeignStep, unitStep } from './step-ids.ts';

/** A start, with everything that the process was started from. */
export type UnitStep = Desired & { action: UnitAction };

/** What brings one component to one host. */
export interface Installation {
  host: Host;
  component: Component;
  /** What its unit runs from: users, directories, files, links, kernel parameters, and the unit's own file last. */
  inputs: readonly Desired[];
  start: UnitStep | undefined;
}

/** The one way in which components get onto their hosts, host by host. */
export function install(context: Context, ...wanted: readonly Component[]): Installation[] {
  return plannedHosts(context).flatMap((host) => installOn(context, host, ...wanted));
}

/** The same for one host, whether it is planned for or not. */
export function installOn(context: Context, host: Host, ...wanted: readonly Component[]): Installation[] {
  const known = installations(context);
  if (!known.has(host.name))
    known.set(
      host.name,
      declarations(context, host).map((declared) => installationOf(context, host, declared)),
    );
  return known.get(host.name)!.filter(({ component }) => wanted.includes(component));
}

/** By host: every phase asks for its own part, and a host has one way to all of them. */
const installations = oncePerContext(() => new Map<string, Installation[]>());

export const stepsOf = (installations: readonly Installation[]): Desired[] =>
  installations.flatMap(({ inputs, start }) => (start === undefined ? inputs : [...inputs, start]));

function installationOf(context: Context, host: Host, { component, declaration }: Declared): Installation {
  const steps: Desired[] = [];
  const add = (
    slug: string,
    summary: string,
    { needs = [], after = [], ...action }: Desired['action'] & Pick<Desired, 'needs' | 'after'>,
  ): void => {
    steps.push(waiting({ id: stepId(host.name, component.name, slug), host: host.name, summary, action }, { needs, after }));
  };
  const { user, directories = [], files = [], certificates = [], artefacts = [], links = {}, sysctls, unit } = declaration;
  const delivered = artefacts.map((name) => deliveryStep(host, name));

  if (user) add('user', `create the system user ${user.name}`, { kind: 'user', ...user });
  for (const { path, mode, owner = 'root:root' } of directories)
    add(`directory${path}`, `make ${path}`, {
      kind: 'directory',
      path,
      mode,
      owner,
      ...(component.sharedPaths?.includes(path) ? { shared: true } : {}),
    });
  for (const file of files) {
    const { path, mode = '0600', owner = 'root:root' } = file;
    const content = contentOf(context, file);
    add(`file${path}`, `write ${path}`, {
      kind: 'file',
      path,
      mode,
      owner,
      content,
      ...(isSecret(file) ? { secret: true } : {}),
      ...(file.once ? { once: true } : {}),
      after: 'ref' in content ? [sharedStep] : [],
    });
  }
  for (const certificate of certificates) {
    const { current } = certificateState(context, host, certificate);
    const issued = context.inventory.certificates[`${host.name}/${certificate.name}`];
    const part = (path: string, kind: 'certificate' | 'key'): void =>
      add(`file${path}`, `write ${path}`, {
        kind: 'file',
        path,
        mode: kind === 'key' ? '0600' : '0644',
        owner: certificate.owner,
        content: {
          ref: `${kind}:${host.name}/${certificate.name}`,
          sha256: current ? (kind === 'key' ? issued!.keySha256 : issued!.certificateSha256) : undefined,
        },
        ...(kind === 'key' ? { secret: true } : {}),
        after: [issueStep(host)],
      });
    part(certificate.keyPath, 'key');
    part(certificate.certificatePath, 'certificate');
  }
  for (const [path, target] of Object.entries(links))
    add(`link${path}`, `point ${path} to ${target}`, { kind: 'link', path, target, needs: delivered });
  for (const name of artefacts) {
    const version = artefactVersion(context, name);
    for (const file of isLinked(name) ? filesOf(name) : []) {
      add(`link/${file}`, `switch ${file} to ${version}`, {
        kind: 'link',
        path: `${BIN}/${file}`,
        target: `../${name}/${version}/${file}`,
        needs: [deliveryStep(host, name)],
      });
    }
  }
  if (sysctls) add('sysctls', 'set kernel parameters', { kind: 'sysctl', settings: sysctls });
  if (!unit) return { host, component, inputs: steps, start: undefined };
  const digestOfInputs = (of: 'process' | 'wish'): string => unitDigest(context, host, { component, declaration, of });
  const [digest, wish] = [digestOfInputs('process'), digestOfInputs('wish')];
  const file = (inputs: string): FileAction => ({
    kind: 'file',
    path: unit.path,
    mode: unit.mode ?? '0600',
    owner: 'root:root',
    content: { text: renderUnit(context, { component, unit, inputs }) },
  });
  const process = (inputs: string): UnitAction => ({
    kind: 'unit',
    name: unit.name,
    path: unit.path,
    digest: inputs,
    ...(unit.makes === undefined ? {} : { makes: unit.makes }),
  });
  const unitFile: Desired = {
    id: stepId(host.name, component.name, `file${unit.path}`),
    host: host.name,
    summary: `write ${unit.path}`,
    action: file(digest),
    wanted: wantedDigest({ action: file(wish) }),
  };
  steps.push(unitFile);
  const packages = packageSteps(host, declaration);
  const start: UnitStep = {
    id: unitStep(host, component),
    host: host.name,
    summary: `start ${unit.name}`,
    action: process(digest),
    wanted: wantedDigest({ action: process(wish) }),
    triggeredBy: [
      unitFile.id,
      ...artefacts.filter((name) => lockedDigest(context, host, name) !== undefined).map((name) => deliveryStep(host, name)),
      ...(foreignUnits(context, host).includes(unit.name) ? [stopForeignStep(host)] : []),
    ],
    // A package manager takes its time: what needs it waits there, and nothing else on the host waits for it.
    ...(packages.length === 0 ? { needs: delivered } : { lane: 'packages' as const, needs: [...packages, ...steps.map(({ id }) => id)] }),
  };
  return { host, component, inputs: steps, start };
}

/** CNI plugins are found by their directory, images are imported: neither is a command. */
function isLinked(artefact: string): boolean {
  return artefact !== 'cni-plugins' && !artefact.startsWith('image-');
}

function contentOf(context: Context, { from }: FileSpec): Content {
  if ('template' in from) return { text: context.render(from.template, from.data) };
  return { ref: from.ref, sha256: referenceState(context, from.ref).sha256 };
}

function isSecret({ from }: FileSpec): boolean {
  return (
    'ref' in from &&
    (from.ref.startsWith('authority-key:') || from.ref === 'document:service-account.key' || from.ref === 'document:encryption-config.yaml')
  );
}

/**
 * Digest of everything that the daemon reads when it starts and does not read again by itself; of a wish, without how often any of it was issued: that goes
 * up each time that a run is interrupted between issue and arrival.
 */
function unitDigest(context: Context, host: Host, { component, declaration, of }: Declared & { of: 'process' | 'wish' }): string {
  const { unit, files = [], certificates = [], artefacts = [] } = declaration;
  const issued = (generation: number): number[] => (of === 'process' ? [generation] : []);
  return digestOf({
    unit: renderUnit(context, { component, unit: unit!, inputs: '' }),
    files: files
      .filter(({ reloaded }) => !reloaded)
      .map(({ path, from }) => [
        path,
        'template' in from
          ? context.render(from.template, from.data)
          : [from.ref, ...issued(referenceState(context, from.ref).generation)].join(' '),
      ]),
    artefacts: artefacts.map((name) => [name, artefactVersion(context, name)]),
    certificates: certificates
      .filter(({ name }) => unit!.restartOnRenewal?.includes(name))
      .map((certificate) => [certificate.name, ...issued(certificateState(context, host, certificate).generation)]),
  });
}

function renderUnit(context: Context, { component, unit, inputs }: { component: Component; unit: UnitSpec; inputs: string }): string {
  const extra = context.cluster.components[component.name]?.args ?? {};
  return context.render(unit.template, {
    ...unit.data,
    flags: withExtra(flagsFor(unit.flags ?? [], context.versions.kubernetes), extra),
    inputs,
  });
}

export function flagsFor(flags: readonly Flag[], kubernetesVersion: string): Flag[] {
  return flags.filter(
    ({ since, until }) =>
      (since === undefined || semver.gte(kubernetesVersion, since)) && (until === undefined || semver.lt(kubernetesVersion, until)),
  );
}

/** The user's own flags win over ours. */
function withExtra(flags: readonly Flag[], extra: Readonly<Record<string, string>>): Flag[] {
  return [...flags.filter(({ name }) => !(name in extra)), ...Object.entries(extra).map(([name, value]) => ({ name, value }))];
}

/** All paths below which files may lie that we wrote, for gathering and reset. */
export function ownedRoots(): string[] {
  return [...new Set(components.flatMap(({ ownedPaths }) => ownedPaths))].sort();
}
