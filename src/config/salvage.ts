import type { Path, Problem } from './problem.ts';

export interface Salvage {
  value: unknown;
  /** For each host that is left, its place in the file. */
  hosts: readonly number[];
}

/** What is left of the document without the parts that have problems, so that the rest can be checked in the same run. */
export function salvage(root: unknown, problems: readonly Problem[]): Salvage {
  const value = structuredClone(root);
  for (const problem of problems) drop(value, problem.path);
  const hosts: number[] = [];
  const list = find(value, ['spec', 'hosts']);
  if (Array.isArray(list)) {
    const kept = list.flatMap((host: unknown, i) => (host === DROPPED ? [] : [{ host, i }]));
    list.splice(0, list.length, ...kept.map(({ host }): unknown => host));
    hosts.push(...kept.map(({ i }) => i));
  }
  return { value, hosts };
}

/** The same problem in terms of the whole file. */
export function inFile(problem: Problem, hosts: readonly number[]): Problem {
  const mapped = (path: Path): Path => {
    const [spec, list, index, ...rest] = path;
    return spec === 'spec' && list === 'hosts' && typeof index === 'number' ? [spec, list, hosts[index] ?? index, ...rest] : path;
  };
  return { ...problem, path: mapped(problem.path), ...(problem.also !== undefined && { also: mapped(problem.also) }) };
}

const DROPPED = 'dropped';

/** Removes what is at the path. A missing field takes what contains it along, an entry of a list the whole list, unless it is a host. */
function drop(root: unknown, path: Path): void {
  const parent = find(root, path.slice(0, -1));
  const key = path.at(-1);
  if (key === undefined || typeof parent !== 'object' || parent === null) return;
  if (Array.isArray(parent)) {
    if (path.length === 3 && path[1] === 'hosts' && typeof key === 'number') parent[key] = DROPPED;
    else drop(root, path.slice(0, -1));
  } else if (Object.hasOwn(parent, key)) Reflect.deleteProperty(parent, key);
  else drop(root, path.slice(0, -1));
}

function find(root: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (value, part) =>
      typeof value === 'object' && value !== null && Object.hasOwn(value, part) ? (value as Record<string, unknown>)[part] : undefined,
    root,
  );
}
