import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { execa } from 'execa';
import { SlipwayError } from '../../base/errors.ts';
import type { Architecture } from '../types.ts';

export interface Command {
  program: string;
  args: readonly string[];
  cwd: string;
  env: Readonly<Record<string, string>>;
  signal?: AbortSignal | undefined;
  onErrorLine?: ((line: string) => void) | undefined;
}

export interface Toolchain {
  /** `go1.26.8`. */
  version: string;
  /** The native C compiler as Go would call it. */
  cc: string;
  /** The environment of every build: what the user set for downloading is kept, what would change the bytes is not. */
  env: Readonly<Record<string, string>>;
}

/** Settings that say where to download and where to keep things, not what comes out. */
const KEPT = ['GOPROXY', 'GOSUMDB', 'GOMODCACHE', 'GOCACHE', 'GOAUTH', 'GOROOT', 'GOPATH', 'GOTMPDIR'];

/**
 * Looks at the Go installation. Throws ARTIFACT_TOOL_MISSING (failed) without Go, ARTIFACT_GO_SUMDB_OFF (refused) when modules would not
 * be checked against a checksum database.
 */
export async function findToolchain(directory: string, environment: NodeJS.ProcessEnv = process.env): Promise<Toolchain> {
  const env = Object.fromEntries(
    Object.entries(environment).filter(([name]) => !/^(GO|CGO_|CC$|CXX$)/.test(name) || KEPT.includes(name)),
  ) as Record<string, string>;
  const { stdout } = await run({
    program: 'go',
    args: ['env', '-json', 'GOVERSION', 'CC', ...KEPT],
    cwd: directory,
    env: { ...env, GOTOOLCHAIN: 'local' },
  });
  const { GOVERSION: version = '', CC: cc = 'gcc', ...settings } = JSON.parse(stdout) as Record<string, string>;
  if (settings['GOSUMDB'] === 'off')
    throw new SlipwayError('Go is set not to check modules against a checksum database (GOSUMDB=off)', {
      code: 'ARTIFACT_GO_SUMDB_OFF',
      category: 'refused',
      hint: 'Unset GOSUMDB, or name a checksum database that can be reached from here, e.g. through your GOPROXY.',
    });
  const kept = Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== ''));
  return { version, cc, env: { ...env, ...kept, GOENV: 'off', GOTOOLCHAIN: 'local', GOFLAGS: '', GOWORK: 'off', GOOS: 'linux' } };
}

/** The C compiler for an architecture: the native one, or Debian's cross compiler. */
export function compilerFor(arch: Architecture, toolchain: Pick<Toolchain, 'cc'>): string {
  const native: Architecture | undefined =
    process.platform === 'linux' ? ({ x64: 'amd64', arm64: 'arm64' } as const)[process.arch as 'x64' | 'arm64'] : undefined;
  if (arch === native) return toolchain.cc;
  return arch === 'arm64' ? 'aarch64-linux-gnu-gcc' : 'x86_64-linux-gnu-gcc';
}

/** `cc 12`, for the record of what a build was made with. Throws ARTIFACT_TOOL_MISSING (failed). */
export async function compilerVersion(cc: string, env: Readonly<Record<string, string>>): Promise<string> {
  const { stdout } = await run({ program: cc, args: ['-dumpversion'], cwd: '/', env });
  return `cc ${stdout.trim()}`;
}

/** Links a small program statically against each library. Throws ARTIFACT_TOOL_MISSING (failed) that names the package to install. */
export async function requireStaticLibraries(
  cc: string,
  libraries: readonly string[],
  at: Pick<Command, 'cwd' | 'env' | 'signal'>,
): Promise<void> {
  for (const library of ['c', ...libraries]) {
    const result = await execa(cc, ['-static', '-o', join(at.cwd, 'probe'), '-x', 'c', '-', `-l${library}`], {
      ...options(at),
      input: 'int main(void) { return 0; }\n',
    });
    if (result.code === 'ENOENT') throw toolMissing(cc, result.message ?? '');
    if (result.exitCode === 0) continue;
    throw new SlipwayError(`The static C library lib${library} for ${cc} is not installed`, {
      code: 'ARTIFACT_TOOL_MISSING',
      category: 'failed',
      hint: `Install ${library === 'c' ? 'libc6-dev (glibc-static on Red Hat systems)' : `lib${library}-dev (lib${library}-static on Red Hat systems)`} on this machine, or take the artefacts from a release or a mirror.`,
      evidence: tail(result.stderr),
    });
  }
}

/** Runs a build tool. Throws ARTIFACT_TOOL_MISSING, ARTIFACT_GO_TOO_OLD, ARTIFACT_BUILD_FAILED (failed) or ABORTED (aborted). */
export async function run(command: Command): Promise<{ stdout: string }> {
  const child = execa(command.program, command.args, { ...options(command), stdin: 'ignore' });
  if (command.onErrorLine) createInterface(child.stderr).on('line', command.onErrorLine);
  const result = await child;
  if (result.exitCode === 0) return { stdout: result.stdout };
  if (result.isCanceled) throw new SlipwayError(`${command.program} was interrupted`, { code: 'ABORTED', category: 'aborted' });
  if (result.code === 'ENOENT') throw toolMissing(command.program, result.message ?? '');
  const needed = /requires go >= ([\d.]+)/.exec(result.stderr)?.[1];
  if (needed) throw goTooOld(needed);
  throw new SlipwayError(`${command.program} ${command.args[0]} failed with exit code ${result.exitCode}`, {
    code: 'ARTIFACT_BUILD_FAILED',
    category: 'failed',
    // Of `go build -v`, only what is not the name of a package it was compiling.
    evidence: tail((result.stderr || result.stdout).replaceAll(/^[\w.~/-]+\n/gm, '')),
    hint: /dial tcp|i\/o timeout|no such host|TLS handshake|proxyconnect|unexpected EOF/.test(result.stderr)
      ? 'The module proxy could not be reached: check the network and GOPROXY, then run the same command again.'
      : 'Run the same command again; what was compiled already is kept.',
  });
}

export function goTooOld(needed: string, have?: string): SlipwayError {
  return new SlipwayError(`Go ${needed} or newer is needed${have ? `, this machine has ${have}` : ''}`, {
    code: 'ARTIFACT_GO_TOO_OLD',
    category: 'failed',
    hint: `Install Go ${needed} or newer on this machine, or take the artefacts from a release or a mirror.`,
  });
}

function toolMissing(program: string, detail: string): SlipwayError {
  const what = program === 'go' ? 'Go' : `The C compiler ${program}`;
  return new SlipwayError(`${what} is not installed on this machine`, {
    code: 'ARTIFACT_TOOL_MISSING',
    category: 'failed',
    hint:
      program === 'go'
        ? 'Install Go (https://go.dev/dl), or take the artefacts from a release or a mirror.'
        : 'Install gcc and libc6-dev (with the -cross packages for another architecture).',
    evidence: detail,
  });
}

function options({ cwd, env, signal }: Pick<Command, 'cwd' | 'env' | 'signal'>) {
  return { cwd, env, extendEnv: false, reject: false, ...(signal ? { cancelSignal: signal } : {}) } as const;
}

function tail(text: string): string {
  return text.trim().split('\n').slice(-30).join('\n');
}
