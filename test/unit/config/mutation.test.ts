import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { parse, stringify } from 'yaml';
import { isSlipwayError } from '../../../src/base/errors.ts';
import { addHost, removeHost } from '../../../src/config/edit.ts';
import { parseCluster } from '../../../src/config/parse.ts';

const fixtures = join(import.meta.dirname, '../../fixtures/config');
const texts = ['full.yaml', 'six-lines.yaml', 'broken.yaml'].map((name) => readFileSync(join(fixtures, name), 'utf8'));

/** mulberry32: the same numbers on every run, so that a failure can be repeated. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

const SNIPPETS = [
  '{',
  '}',
  '[',
  ']',
  ':',
  ': ',
  '- ',
  '\n',
  '\t',
  '"',
  "'",
  '#',
  '&a ',
  '*a',
  '<<: *a',
  '!!set ',
  '|\n',
  '---\n',
  '%YAML 1.1\n',
  '? ',
  ',',
  '\0',
  '\uFEFF',
  'é',
  '~',
  '@',
];
const VALUES: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -1,
  1.5,
  1e99,
  NaN,
  '',
  'a',
  '__proto__',
  'constructor',
  '10.0.0.0/8',
  '::1/0',
  '-',
  '\n',
  'x'.repeat(300),
  [],
  {},
  [null],
  [[]],
  { a: 1 },
  { __proto__: null, toString: 1 },
];

/** What parseCluster does with the text; anything thrown must be one of our errors, with a line that the file has. */
function outcome(text: string): 'read' | 'refused' {
  try {
    parseCluster(text, 'c.yaml');
    return 'read';
  } catch (error) {
    if (!isSlipwayError(error) || error.code !== 'CLUSTER_FILE_INVALID' || !('errors' in error)) throw error;
    const lines = text.split('\n').length;
    for (const inner of error.errors as { where: { line: number; column: number }; message: string }[]) {
      if (!(inner.where.line >= 1 && inner.where.line <= lines && inner.where.column >= 1))
        throw new Error(`no such place: ${JSON.stringify(inner)}`);
      if (/undefined|\[object/.test(inner.message.replaceAll(/"[^"]*"/g, ''))) throw new Error(`bad words: ${inner.message}`);
    }
    return 'refused';
  }
}

test('whatever bytes are changed, the file is read or refused with places', () => {
  const seen = { read: 0, refused: 0 };
  for (let seed = 1; seed <= 500; seed++) {
    const next = random(seed);
    let text = texts[next(texts.length)]!;
    for (let n = next(3); n >= 0; n--) {
      const at = next(text.length);
      text = text.slice(0, at) + (next(2) === 0 ? SNIPPETS[next(SNIPPETS.length)]! : '') + text.slice(at + next(4));
    }
    seen[outcome(text)]++;
  }
  expect(seen.refused).toBeGreaterThan(seen.read);
  expect(seen.read).toBeGreaterThan(20);
});

test('whatever values are replaced, the file is read or refused with places', () => {
  const seen = { read: 0, refused: 0 };
  for (let seed = 1; seed <= 500; seed++) {
    const next = random(seed);
    const root: unknown = parse(texts[next(2)]!, { merge: true });
    for (let n = next(3); n >= 0; n--) replaceSomewhere(root, next);
    seen[outcome(stringify(root))]++;
  }
  expect(seen.read).toBeGreaterThan(5);
  expect(seen.refused).toBeGreaterThan(300);
});

test('whatever the file is, editing it gives a file or one of our errors', () => {
  let edited = 0;
  for (let seed = 1; seed <= 300; seed++) {
    const next = random(seed);
    let text = texts[next(2)]!;
    const at = next(text.length);
    text = text.slice(0, at) + SNIPPETS[next(SNIPPETS.length)]! + text.slice(at + next(4));
    try {
      const added = addHost(text, { name: 'new', address: '10.9.9.9' });
      expect(removeHost(added, 'new').trimEnd()).toBe(text.trimEnd());
      edited++;
    } catch (error) {
      if (!isSlipwayError(error)) throw error;
    }
  }
  expect(edited).toBeGreaterThan(50);
});

function replaceSomewhere(root: unknown, next: (below: number) => number): void {
  let node = root as Record<string, unknown>;
  for (;;) {
    const keys = Object.keys(node);
    if (keys.length === 0) return;
    const key = keys[next(keys.length)]!;
    const inner = node[key];
    if (typeof inner === 'object' && inner !== null && next(4) > 0) {
      node = inner as Record<string, unknown>;
      continue;
    }
    if (next(3) === 0) node[SNIPPETS[next(SNIPPETS.length)]! + key] = inner;
    else node[key] = VALUES[next(VALUES.length)];
    return;
  }
}
