import { readFile } from 'node:fs/promises';
import { LineCounter, parseDocument, stringify } from 'yaml';
import { SlipwayError, SlipwayErrors } from '../base/errors.ts';
import { unlessMissing, writeFileDurably } from './files.ts';
import { lockSchema } from './schema.ts';
import type { Artefact, Lock, LockedArtefact } from './types.ts';

export const emptyLock: Lock = { version: 1, artifacts: [] };

/** The lock, or an empty one when there is no such file. Throws ARTIFACT_LOCK_INVALID (usage) with the line. */
export async function readLock(path: string): Promise<Lock> {
  const text = await unlessMissing(readFile(path, 'utf8'));
  return text === undefined ? emptyLock : parseLock(text, path);
}

/** Throws ARTIFACT_LOCK_INVALID (usage); `file` is named in the error. */
export function parseLock(text: string, file: string): Lock {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter });
  const invalid = (message: string, offset: number): SlipwayError => {
    const { line, col } = lineCounter.linePos(offset);
    return new SlipwayError(`${file} is not a lock file: ${message}`, {
      code: 'ARTIFACT_LOCK_INVALID',
      category: 'usage',
      where: { file, line, column: col },
      hint: 'Restore it from version control, or delete it and write it anew with `slipway artifacts lock`.',
    });
  };
  const [problem] = document.errors;
  if (problem) throw invalid(problem.message.split('\n')[0]!, problem.pos[0]);

  const { data, error } = lockSchema.safeParse(document.toJS());
  if (data) return data;
  const issue = error.issues[0]!;
  const path = issue.path.filter((key) => typeof key !== 'symbol');
  const node = document.getIn(path, true) as { range?: [number, number, number] } | undefined;
  throw invalid(`${path.join('.') || 'document'}: ${issue.message}`, node?.range?.[0] ?? 0);
}

/** Sorted by name, version and architecture, with sorted files and no folded lines: a change shows as the lines that changed. */
export function formatLock({ artifacts }: Lock): string {
  const sorted = [...artifacts].sort((a, b) => compare(a.name, b.name) || compare(a.version, b.version) || compare(a.arch, b.arch));
  const plain = sorted.map(({ name, version, arch, source, files }) => ({
    name,
    version,
    arch,
    source,
    files: Object.fromEntries(Object.entries(files).sort(([a], [b]) => compare(a, b))),
  }));
  return stringify({ version: 1, artifacts: plain }, { lineWidth: 0 });
}

/** Writes only when something changes; returns whether it did. */
export async function writeLock(path: string, lock: Lock): Promise<boolean> {
  const text = formatLock(lock);
  if ((await unlessMissing(readFile(path, 'utf8'))) === text) return false;
  await writeFileDurably(path, text);
  return true;
}

export function lockedIn(lock: Lock, { name, version, arch }: Omit<Artefact, 'files'>): LockedArtefact | undefined {
  return lock.artifacts.find((entry) => entry.name === name && entry.version === version && entry.arch === arch);
}

/** The lock with these entries added or replaced. */
export function mergeLock(lock: Lock, entries: readonly LockedArtefact[]): Lock {
  return { version: 1, artifacts: [...lock.artifacts.filter((old) => !entries.some((entry) => sameKey(entry, old))), ...entries] };
}

/** Throws ARTIFACT_LOCK_MISMATCH (failed) when bytes are not those of the lock; all differences at once. */
export function checkAgainstLock(lock: Lock, fetched: readonly LockedArtefact[], lockPath: string): void {
  const errors = fetched.flatMap((got) => {
    const expected = lockedIn(lock, got);
    if (!expected) return [];
    const differences = differencesOf(expected.files, got.files);
    if (differences.length === 0) return [];
    return [
      new SlipwayError(`${got.name} ${got.version} (${got.arch}) from ${got.source} is not what ${lockPath} says`, {
        code: 'ARTIFACT_LOCK_MISMATCH',
        category: 'failed',
        where: { file: lockPath },
        evidence: [`locked from ${expected.source}`, ...differences].join('\n'),
        hint:
          expected.source === got.source
            ? 'Find out why the bytes changed. If the new ones are right, run `slipway artifacts lock` and commit the result.'
            : 'Another source or tool gives other bytes. To accept them, run `slipway artifacts lock` and commit the result.',
      }),
    ];
  });
  if (errors.length === 1) throw errors[0];
  if (errors.length === 0) return;
  const { code, category, where, hint } = errors[0]!;
  const evidence = errors.map((error) => `${error.message}\n${error.evidence}`).join('\n');
  throw new SlipwayErrors(`${errors.length} artefacts are not what ${lockPath} says`, { code, category, where, hint, evidence }, errors);
}

function differencesOf(expected: Readonly<Record<string, string>>, got: Readonly<Record<string, string>>): string[] {
  return [...new Set([...Object.keys(expected), ...Object.keys(got)])]
    .sort()
    .filter((name) => expected[name] !== got[name])
    .map((name) => `${name}: expected ${expected[name] ?? 'no such file'}, got ${got[name] ?? 'no such file'}`);
}

function sameKey(a: LockedArtefact, b: LockedArtefact): boolean {
  return a.name === b.name && a.version === b.version && a.arch === b.arch;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
