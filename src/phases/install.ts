import semver from 'semver';
import { filesOf } from '../artifacts/catalogue.ts';
import { declarations, type Declared } from '../components/declare.ts';
import { components } from '../components/index.ts';
import { BIN } from '../components/topology.ts';
import type { Component, FileSpec, Flag, UnitSpec } from '../components/component.ts';
import type { Host } from '../config/cluster.ts';
import { digestOf, wantedDigest } from '../engine/plan.ts';
import type { Content, Desired, FileAction, UnitAction } from '../engine/step.ts';
import { artefactVersion, deliveryStep, lockedDigest, packageSteps } from './deliver-artifacts.ts';
import { foreignUnits, stopForeignStep } from './foreign/units.ts';
import { certificateState, issueStep, referenceState, REFERENCES_STEP } from './issue-certificates.ts';
import { plannedHosts, type Context } from './context.ts';

/** The one way in which a component gets onto its hosts: users, directories, files, links, then the unit. */
export function install(context: Context, ...wanted: readonly Component[]): Desired[] {
  return plannedHosts(context).flatMap((host) =>
    declarations(context, host)
      .filter(({ component }) => wanted.includes(component))
      .flatMap((declared) => installOn(context, host, declared)),
  );
}

function installOn(context: Context, host: Host, { component, declaration }: Declared): Desired[] {
  const steps: Desired[] = [];
  const add = (slug: string, words: string, { needs = [], ...action }: Desired['action'] & { needs?: readonly string[] }): void => {
    steps.push({
      id: `${host.name}/${component.name}/${slug}`,
      host: host.name,
      words,
      action: action,
      ...(needs.length > 0 ? { needs } : {}),
    });
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
      ...(component.fills?.includes(path) ? { shared: true } : {}),
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
      needs: 'ref' in content ? [REFERENCES_STEP] : [],
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
        needs: [issueStep(host)],
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
  if (unit) {
    const digestOfInputs = (of: 'process' | 'wish'): string => unitDigest(context, host, { component, declaration, of });
    const [digest, wish] = [digestOfInputs('process'), digestOfInputs('wish')];
    const file = (of: string): FileAction => ({
      kind: 'file',
      path: unit.path,
      mode: unit.mode ?? '0600',
      owner: 'root:root',
      content: { text: renderUnit(context, { component, unit, inputs: of }) },
    });
    const process = (of: string): UnitAction => ({
      kind: 'unit',
      name: unit.name,
      path: unit.path,
      digest: of,
      ...(unit.makes === undefined ? {} : { makes: unit.makes }),
    });
    steps.push({
      id: `${host.name}/${component.name}/file${unit.path}`,
      host: host.name,
      words: `write ${unit.path}`,
      action: file(digest),
      wanted: wantedDigest({ action: file(wish) }),
    });
    const installed = packageSteps(host, declaration);
    const start: Desired = {
      id: `${host.name}/${component.name}/unit`,
      host: host.name,
      words: `start ${unit.name}`,
      action: process(digest),
      wanted: wantedDigest({ action: process(wish) }),
      needs: [...delivered, ...installed],
      dueWith: [
        `${host.name}/${component.name}/file${unit.path}`,
        ...artefacts.filter((name) => lockedDigest(context, host, name) !== undefined).map((name) => deliveryStep(host, name)),
        ...(foreignUnits(context, host).includes(unit.name) ? [stopForeignStep(host.name)] : []),
      ],
    };
    // A package manager takes its time: what needs it waits there, and nothing else on the host waits for it.
    steps.push(installed.length === 0 ? start : { ...start, lane: 'packages', needs: [...installed, ...steps.map(({ id }) => id)] });
  }
  return steps;
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
  return [...new Set(components.flatMap(({ owns }) => owns))].sort();
}
