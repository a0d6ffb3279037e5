import type { GoBuild } from './recipes.ts';

/**
 * The go.mod from which `build` is made. What counts only in a main module is taken over from the upstream go.mod: language version,
 * godebug and replace directives. Directories exist only in the upstream repository: those in ./staging become the published modules of
 * the same release, for others the version that is required anyway is the published one.
 */
export function goModFor(build: Pick<GoBuild, 'module' | 'version' | 'require'>, upstream: string): string {
  const lines = directives(upstream);
  const replaces = lines
    .filter(([verb]) => verb === 'replace')
    .flatMap(([, rest]) => {
      const [from = '', to = ''] = rest.split('=>').map((side) => side.trim());
      if (to.startsWith('./staging/')) return [`${from} => ${from} ${build.version.replace(/^v1\./, 'v0.')}`];
      return to.startsWith('.') ? [] : [`${from} => ${to}`];
    });
  return [
    `module slipway.dev/build/${build.module.replaceAll(/[^a-z0-9]+/g, '-')}`,
    `go ${goVersionOf(upstream)}`,
    ...lines.filter(([verb]) => verb === 'godebug').map(([, rest]) => `godebug ${rest}`),
    block('require', [
      `${build.module} ${build.version}`,
      ...Object.entries(build.require).map(([module, version]) => `${module} ${version}`),
    ]),
    ...(replaces.length > 0 ? [block('replace', replaces)] : []),
  ]
    .join('\n\n')
    .concat('\n');
}

/** The language version that a go.mod asks for; `1.16` where it does not say, as Go itself assumes. */
export function goVersionOf(mod: string): string {
  return directives(mod).find(([verb]) => verb === 'go')?.[1] ?? '1.16';
}

/** Whether a toolchain (`go1.26.8`) is at least the language version of a go.mod (`1.26.0`). Development toolchains are trusted. */
export function satisfies(toolchain: string, needed: string): boolean {
  const have = /^go(\d+(?:\.\d+)*)/.exec(toolchain)?.[1];
  if (!have) return true;
  const [a, b] = [have, needed].map((version) => version.split(/[.a-z]+/).map(Number)) as [number[], number[]];
  for (let i = 0; i < 3; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return true;
}

function block(verb: string, lines: readonly string[]): string {
  return `${verb} (\n${lines.map((line) => `\t${line}\n`).join('')})`;
}

/** The directives of a go.mod, blocks taken apart. */
function directives(mod: string): [verb: string, rest: string][] {
  const result: [string, string][] = [];
  let open: string | undefined;
  for (const raw of mod.split('\n')) {
    const line = raw.replace(/\/\/.*$/, '').trim();
    const start = /^(\w+)\s*\($/.exec(line);
    if (start) open = start[1];
    else if (line === ')') open = undefined;
    else if (line !== '') {
      const space = line.search(/\s/);
      result.push(open ? [open, line] : [line.slice(0, space), line.slice(space + 1).trim()]);
    }
  }
  return result;
}
