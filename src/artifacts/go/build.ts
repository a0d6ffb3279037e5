import { createWriteStream } from 'node:fs';
import { mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ociArchive } from '../oci.ts';
import { bytesOf, bytesOfFile } from '../tar.ts';
import type { Architecture, Artefact } from '../types.ts';
import { goModFor, goVersionOf, satisfies } from './go-mod.ts';
import type { CBuild, GoBuild, ImageRecipe } from './recipes.ts';
import { compilerFor, goTooOld, run, type Toolchain } from './toolchain.ts';

/** Where and with what one build happens. */
export interface Bench {
  /** Empty. */
  directory: string;
  arch: Architecture;
  toolchain: Toolchain;
  signal?: AbortSignal | undefined;
  /** Called with the number of packages compiled so far. */
  onCompiled?: ((packages: number) => void) | undefined;
}

/** File name to path of what was built. Throws as `run` does. */
export async function buildGo(build: GoBuild, bench: Bench): Promise<Record<string, string>> {
  const module = await downloadModule(build, bench);
  await writeFile(join(bench.directory, 'go.mod'), goModFor(build, await readFile(module.GoMod, 'utf8')));
  const out = join(bench.directory, 'out');
  await mkdir(out);
  const link = build.cgo === 'static' ? ['-linkmode external', '-extldflags -static'] : [];
  const ldflags = ['-s', '-w', ...link, ...Object.entries(build.variables).map(([name, value]) => `-X ${name}=${value}`)].join(' ');
  let compiled = 0;
  await run({
    program: 'go',
    args: [
      'build',
      '-v',
      '-mod=mod',
      '-trimpath',
      '-buildvcs=false',
      '-tags',
      build.tags.join(','),
      '-ldflags',
      ldflags,
      '-o',
      `${out}/`,
      ...Object.values(build.packages),
    ],
    cwd: bench.directory,
    env: {
      ...bench.toolchain.env,
      GOARCH: bench.arch,
      CGO_ENABLED: build.cgo === 'static' ? '1' : '0',
      ...(build.cgo === 'static' ? { CC: compilerFor(bench.arch, bench.toolchain) } : {}),
    },
    signal: bench.signal,
    onErrorLine: (line) => void (isPackage(line) && bench.onCompiled?.(++compiled)),
  });

  const outputs: Record<string, string> = {};
  for (const [file, path] of Object.entries(build.packages)) {
    outputs[file] = join(bench.directory, file);
    await rename(join(out, outputName(path)), outputs[file]);
  }
  return outputs;
}

/** Compiles and links with the flags of upstream's build/pause/Makefile; returns the path of the binary. */
export async function buildC(build: CBuild, bench: Bench): Promise<string> {
  const module = await downloadModule(build, bench);
  const output = join(bench.directory, build.output);
  const defines = Object.entries(build.defines).map(([name, value]) => `-D${name}=${value}`);
  await run({
    program: compilerFor(bench.arch, bench.toolchain),
    // The linker's build-id would carry the path of the temporary object file; -s drops the symbol table that names the source.
    args: [
      '-Os',
      '-Wall',
      '-static',
      '-s',
      '-Wl,--build-id=none',
      `-ffile-prefix-map=${module.Dir}=.`,
      ...defines,
      '-o',
      output,
      join(module.Dir, build.path),
    ],
    cwd: bench.directory,
    env: bench.toolchain.env,
    signal: bench.signal,
  });
  return output;
}

/** Writes the OCI archive next to the binary and returns its path. */
export async function writeImage(recipe: ImageRecipe, { arch }: Artefact, binary: string): Promise<string> {
  const directories = Object.entries(recipe.directories ?? {}).map(([name, mode]) => ({ name: `${name}/`, mode }));
  const archive = await ociArchive({
    reference: recipe.reference,
    arch,
    user: recipe.user,
    entrypoint: [`/${recipe.binary}`],
    cmd: recipe.cmd,
    exposedPorts: recipe.exposedPorts,
    root: [
      ...directories,
      { name: 'etc/', mode: 0o755 },
      {
        name: 'etc/passwd',
        mode: 0o644,
        content: bytesOf(
          'root:x:0:0:root:/:/sbin/nologin\nnobody:x:65534:65534:nobody:/:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/:/sbin/nologin\n',
        ),
      },
      { name: 'etc/group', mode: 0o644, content: bytesOf('root:x:0:\nnobody:x:65534:\nnonroot:x:65532:\n') },
      { name: recipe.binary, mode: 0o755, content: bytesOfFile(binary, (await stat(binary)).size) },
    ],
  });
  const path = join(dirname(binary), 'image.tar');
  await pipeline(Readable.from(archive.read()), createWriteStream(path));
  return path;
}

/** Gets the module into Go's own module cache, checked against the checksum database. */
async function downloadModule(
  { module, version }: Pick<GoBuild, 'module' | 'version'>,
  bench: Bench,
): Promise<{ GoMod: string; Dir: string }> {
  const { stdout } = await run({
    program: 'go',
    args: ['mod', 'download', '-json', `${module}@${version}`],
    cwd: bench.directory,
    env: bench.toolchain.env,
    signal: bench.signal,
  });
  const downloaded = JSON.parse(stdout) as { GoMod: string; Dir: string };
  const needed = goVersionOf(await readFile(downloaded.GoMod, 'utf8'));
  if (!satisfies(bench.toolchain.version, needed)) throw goTooOld(needed, bench.toolchain.version);
  return downloaded;
}

/** The name that `go build` gives a command: the last element of its path, without a major version. */
function outputName(path: string): string {
  return basename(path.replace(/\/v\d+$/, ''));
}

/** `go build -v` names each package it compiles on a line of its own. */
function isPackage(line: string): boolean {
  return /^[\w.~/-]+$/.test(line);
}
