import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256Of } from '../digest.ts';
import { progressClock } from '../progress.ts';
import type { FetchOptions, Source, Wanted } from '../source.ts';
import type { Architecture, Artefact } from '../types.ts';
import { buildC, buildGo, writeImage, type Bench } from './build.ts';
import { recipeOf, type GoBuild, type Recipe } from './recipes.ts';
import { compilerFor, compilerVersion, findToolchain, requireStaticLibraries, type Toolchain } from './toolchain.ts';

/**
 * Builds artefacts from Go modules, which Go checks against its checksum database. Needs Go, and gcc with static libraries for runc,
 * flannel and pause.
 */
export function goSource(environment: NodeJS.ProcessEnv = process.env): Source {
  let found: Promise<Toolchain> | undefined;
  const toolchain = (): Promise<Toolchain> => (found ??= findToolchain('/', environment));
  return {
    async identify({ artefact }) {
      const recipe = recipeOf(artefact);
      return { source: await sourceOf(artefact, recipe, await toolchain()), recipe: sha256Of(JSON.stringify(recipe)) };
    },
    async fetch(wanted, options) {
      await build(wanted, await toolchain(), options);
    },
  };
}

/** Binaries of one module with the same flags: one `go build`, which compiles what they share once and links in parallel. */
interface Group {
  arch: Architecture;
  build: GoBuild;
  artefacts: readonly Artefact[];
}

async function build(wanted: readonly Wanted[], toolchain: Toolchain, options: FetchOptions): Promise<void> {
  const orders = wanted.map(({ artefact }) => ({ artefact, recipe: recipeOf(artefact) }));
  const sources = new Map<Artefact, string>();
  for (const { artefact, recipe } of orders) sources.set(artefact, await sourceOf(artefact, recipe, toolchain));
  const clock = progressClock(options, (artefact) => sources.get(artefact)!);

  // Missing tools are better heard of now than after ten minutes of compiling.
  for (const { artefact, recipe } of orders) await requireCompiler(artefact, recipe, { toolchain, options });

  const built = new Map<Artefact, Record<string, string>>(orders.map(({ artefact }) => [artefact, {}]));
  const deliverComplete = async (among: readonly Artefact[]): Promise<void> => {
    for (const { artefact, recipe } of orders) {
      const outputs = built.get(artefact)!;
      const needed = [...recipe.go.flatMap(({ packages }) => Object.keys(packages)), ...(recipe.c ? [recipe.c.output] : [])];
      if (!among.includes(artefact) || !needed.every((name) => outputs[name])) continue;
      const files = recipe.image
        ? { [artefact.files[0]!]: await writeImage(recipe.image, artefact, outputs[recipe.image.binary]!) }
        : outputs;
      await options.deliver({ artefact, source: sources.get(artefact)!, files });
      clock.finished(artefact);
    }
  };
  const benchAt = async (name: string, arch: Architecture): Promise<Bench> => {
    const directory = join(options.directory, `${name}-${arch}`);
    await mkdir(directory);
    return { directory, arch, toolchain, signal: options.signal };
  };

  for (const { artefact, recipe } of orders) {
    if (!recipe.c) continue;
    clock.started(artefact);
    built.get(artefact)![recipe.c.output] = await buildC(recipe.c, await benchAt(artefact.name, artefact.arch));
    await deliverComplete([artefact]);
  }
  for (const [index, group] of groupsOf(orders).entries()) {
    group.artefacts.forEach(clock.started);
    const owner = (file: string): Artefact => group.artefacts.find(({ name, files }) => files.includes(file) || name.startsWith('image-'))!;
    const outputs = await buildGo(group.build, {
      ...(await benchAt(String(index), group.arch)),
      onCompiled: (packages) => clock.working(group.artefacts[0]!, { detail: `${packages} packages compiled` }),
    });
    for (const [file, path] of Object.entries(outputs)) built.get(owner(file))![file] = path;
    await deliverComplete(group.artefacts);
  }
}

function groupsOf(orders: readonly { artefact: Artefact; recipe: Recipe }[]): Group[] {
  const groups = new Map<string, Group>();
  for (const { artefact, recipe } of orders)
    for (const build of recipe.go) {
      const key = JSON.stringify([artefact.arch, { ...build, packages: {} }]);
      const { build: before, artefacts = [] } = groups.get(key) ?? {};
      groups.set(key, {
        arch: artefact.arch,
        build: { ...build, packages: { ...before?.packages, ...build.packages } },
        artefacts: [...artefacts, artefact],
      });
    }
  return [...groups.values()];
}

async function requireCompiler(
  { arch }: Artefact,
  recipe: Recipe,
  { toolchain, options }: { toolchain: Toolchain; options: FetchOptions },
): Promise<void> {
  const static_ = recipe.go.filter(({ cgo }) => cgo === 'static');
  if (static_.length === 0 && !recipe.c) return;
  const libraries = static_.flatMap((build) => build.libraries);
  await requireStaticLibraries(compilerFor(arch, toolchain), libraries, {
    cwd: options.directory,
    env: toolchain.env,
    signal: options.signal,
  });
}

/** Every tool that can change the bytes is named. */
async function sourceOf({ arch }: Artefact, recipe: Recipe, toolchain: Toolchain): Promise<string> {
  const { module, version } = recipe.c ?? recipe.go[0]!;
  const usesC = recipe.c !== undefined || recipe.go.some(({ cgo }) => cgo === 'static');
  const tools = [
    ...(recipe.c ? [] : [toolchain.version]),
    ...(usesC ? [await compilerVersion(compilerFor(arch, toolchain), toolchain.env)] : []),
  ];
  return `go:${module}@${version} (${tools.join(', ')})`;
}
