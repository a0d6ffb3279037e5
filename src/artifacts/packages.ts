import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { SlipwayError, bug } from '../base/errors.ts';
import { sha256Of } from './digest.ts';
import { codeOf } from './files.ts';
import { packageFile, packagesName, plain } from './package-names.ts';
import { progressClock } from './progress.ts';
import type { Source } from './source.ts';
import type { Architecture, Artefact } from './types.ts';

export interface PackagesRequest {
  /** `debian-12`. */
  system: string;
  arch: Architecture;
  /** What the hosts need, by the distribution's names. */
  names: readonly string[];
  /** One-line apt sources for that release. */
  sources: readonly string[];
  /** apt settings, such as a proxy. */
  options: readonly string[];
  signal?: AbortSignal | undefined;
}

export interface Packages {
  artefact: Artefact;
  source: Source;
  /** Removes what apt left. */
  close(): Promise<void>;
}

interface Deb {
  name: string;
  version: string;
  /** As apt prints it, with what makes these very bytes out. */
  line: string;
}

/** What every host has that we can use at all: the essential packages, and those without which nobody gets to this point. */
const PRESENT = ['?essential', 'apt', 'systemd'];

/**
 * Asks apt, in a directory of its own, which packages the names need beyond what every host has, in their current versions. apt checks the
 * signatures of the archive. Throws ARTIFACT_TOOL_MISSING, PACKAGES_UNAVAILABLE (failed).
 */
export async function openPackages(request: PackagesRequest): Promise<Packages> {
  const { system, arch, names, sources } = request;
  const root = await mkdtemp(join(tmpdir(), 'slipway-apt-'));
  const close = (): Promise<void> => rm(root, { recursive: true, force: true });
  try {
    for (const directory of ['lists/partial', 'cache/archives/partial']) await mkdir(join(root, directory), { recursive: true });
    await writeFile(join(root, 'status'), '');
    await writeFile(join(root, 'sources.list'), `${sources.map(withKeyring).join('\n')}\n`);
    const apt = aptIn(root, request);
    await apt(['update']);
    const closure = async (wanted: readonly string[]): Promise<Deb[]> =>
      debsIn(await apt(['--no-install-recommends', '--print-uris', 'install', ...wanted]));
    const present = new Set((await closure(PRESENT)).map(({ name }) => name));
    const debs = (await closure(names)).filter(({ name }) => names.includes(name) || !present.has(name));
    const first = debs.find(({ name }) => name === names[0]);
    if (!first) throw bug(`apt has nothing to install for ${names.join(', ')}`);
    const content = sha256Of(debs.map(({ line }) => line).join('\n'));
    const artefact: Artefact = {
      name: packagesName(system),
      // Two sets of packages never have the same version, so that a newer one is no change of a locked one.
      version: `${plain(first.version)}-${content.slice(0, 8)}`,
      arch,
      files: debs.map(({ name }) => packageFile(name)).sort(),
    };
    return { artefact, close, source: downloads(apt, { debs, recipe: `apt ${content}`, from: sources[0] ?? '' }) };
  } catch (error) {
    await close();
    throw error;
  }
}

type Apt = (args: readonly string[], cwd?: string) => Promise<string>;

function downloads(apt: Apt, { debs, recipe, from }: { debs: readonly Deb[]; recipe: string; from: string }): Source {
  const source = `apt:${from.replace(/^deb\s+/, '').replace(/\/\/[^/@\s]*@/, '//')}`;
  return {
    identify: async () => ({ source, recipe }),
    async fetch(wanted, options) {
      const clock = progressClock(options, () => source);
      for (const { artefact } of wanted) {
        clock.started(artefact);
        const place = join(options.directory, artefact.name);
        await mkdir(place);
        await apt(['download', ...debs.map(({ name, version }) => `${name}=${version}`)], place);
        const files: Record<string, string> = {};
        for (const file of await readdir(place)) {
          const name = packageFile(file.slice(0, file.indexOf('_')));
          files[name] = join(place, name);
          await rename(join(place, file), files[name]);
        }
        await options.deliver({ artefact, source, files });
        clock.finished(artefact);
      }
    },
  };
}

function aptIn(root: string, { system, arch, options, signal }: PackagesRequest): Apt {
  const settings = [
    `Dir::Etc::sourcelist=${root}/sources.list`,
    'Dir::Etc::sourceparts=/dev/null',
    `Dir::State=${root}`,
    `Dir::State::lists=${root}/lists`,
    `Dir::State::status=${root}/status`,
    `Dir::Cache=${root}/cache`,
    `APT::Architecture=${arch}`,
    `APT::Architectures=${arch}`,
    // apt would rather download as a user who cannot write here.
    'APT::Sandbox::User=',
    'Acquire::Languages=none',
    'Acquire::Retries=3',
    'Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false',
    'Debug::NoLocking=true',
    ...options.map((option) => option.replace(/^(\S+) "(.*)"$/, '$1=$2')),
  ];
  const flags = ['-q', '-y', ...settings.flatMap((setting) => ['-o', setting])];
  return async (args, cwd = root) => {
    const result = await execa('apt-get', [...flags, ...args], {
      cwd,
      reject: false,
      stdin: 'ignore',
      env: { LC_ALL: 'C.UTF-8' },
      ...(signal ? { cancelSignal: signal } : {}),
    });
    signal?.throwIfAborted();
    if (result.exitCode === 0 && !/^[WE]: .*(Failed to fetch|Some index files failed)/m.test(result.stderr)) return result.stdout;
    if (codeOf(result.cause) === 'ENOENT' || result.code === 'ENOENT')
      throw new SlipwayError('The program apt-get is not installed on this machine', {
        code: 'ARTIFACT_TOOL_MISSING',
        category: 'failed',
        hint: 'Make the bundle on a Debian or Ubuntu machine, or without packages: --no-packages.',
      });
    throw new SlipwayError(`The packages of ${system} (${arch}) cannot be had`, {
      code: 'PACKAGES_UNAVAILABLE',
      category: 'failed',
      evidence: `${result.stderr}\n${result.stdout}`.trim().split('\n').slice(-15).join('\n'),
      hint: 'See whether the package archive can be reached from here, or name another with --mirror; or leave packages out: --no-packages.',
    });
  };
}

/** Reads `--print-uris`: 'URI' NAME_VERSION_ARCH.deb SIZE HASH. A colon in a version is %3a there. */
export function debsIn(text: string): Deb[] {
  return [...text.matchAll(/^'([^']+)' ([a-z0-9][a-z0-9+.-]*)_([^_\s]+)_\w+\.deb .*$/gm)].map(([line, , name, version]) => ({
    name: name!,
    version: decodeURIComponent(version!),
    line,
  }));
}

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';

/** The archive's own keyring where it is installed; else what this machine's apt trusts. */
function withKeyring(source: string): string {
  return existsSync(KEYRING) ? source.replace(/^deb /, `deb [signed-by=${KEYRING}] `) : source;
}
