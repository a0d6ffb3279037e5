import { SlipwayError, SlipwayErrors, type Where } from '../base/errors.ts';

export type Path = readonly (string | number)[];

/** One thing that is wrong in the cluster file. */
export interface Problem {
  path: Path;
  /** Point at the key itself, not at its value. */
  atKey?: boolean;
  /** What is wrong and why, as a clause or sentence without the path. */
  message: string;
  /** What to write instead, or what to do. */
  hint?: string | undefined;
  /** The other place that the message speaks of. */
  also?: Path;
  /** Set for what is allowed but probably not meant: a stable name. */
  warning?: string;
}

/** Something in the cluster file that works but is probably not meant. */
export interface Warning {
  /** Stable: UPPER_SNAKE. */
  code: string;
  message: string;
  where: Where;
  hint: string | undefined;
}

/** `spec.hosts[1].roles[0]`, as in error messages and on the command line. */
export function pathText(path: Path): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    if (!/^[\w-]+$/.test(part)) return `${text}[${JSON.stringify(part)}]`;
    return text === '' ? part : `${text}.${part}`;
  }, '');
}

export type Locate = (path: Path, atKey: boolean) => Where;

/** The problems as one error, in the order of the file. */
export function problemsError(problems: readonly Problem[], file: string, locate: Locate): SlipwayErrors {
  const errors = problems
    .map((problem) => {
      const where = locate(problem.path, problem.atKey ?? false);
      const message = messageOf(problem, locate);
      return new SlipwayError(message, { code: 'CLUSTER_FILE_INVALID', category: 'usage', where, hint: problem.hint });
    })
    .sort((a, b) => (a.where.line ?? 0) - (b.where.line ?? 0) || (a.where.column ?? 0) - (b.where.column ?? 0));
  const count = errors.length === 1 ? 'one problem' : `${errors.length} problems`;
  return new SlipwayErrors(`${file} has ${count}`, { code: 'CLUSTER_FILE_INVALID', category: 'usage', where: { file } }, errors);
}

export function toWarning(problem: Problem, locate: Locate): Warning {
  return {
    code: problem.warning ?? 'CLUSTER_FILE',
    message: messageOf(problem, locate),
    where: locate(problem.path, problem.atKey ?? false),
    hint: problem.hint,
  };
}

function messageOf(problem: Problem, locate: Locate): string {
  const message = problem.also === undefined ? problem.message : `${problem.message} (line ${locate(problem.also, false).line})`;
  return problem.path.length === 0 ? message : `${pathText(problem.path)}: ${message}`;
}
