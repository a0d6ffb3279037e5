import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { packageRoot } from '../../../src/base/package-root.ts';
import { preflightChecks } from '../../../src/checks/preflight/index.ts';
import { verifyChecks } from '../../../src/checks/verify/index.ts';
import { preflightError } from '../../../src/checks/preflight/index.ts';
import { checkCode, checkTables } from '../../../src/cli/error-tables.ts';
import { exitCodeOf } from '../../../src/cli/exit-code.ts';
import { verifyError } from '../../../src/cli/verify.ts';
import type { Category } from '../../../src/base/errors.ts';

const root = packageRoot();
const docs = readFileSync(join(root, 'docs/errors.md'), 'utf8');
const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => readFileSync(join(root, 'src', name), 'utf8'));

/** Words in capitals that are no codes of ours. */
const others =
  /^(SLIPWAY_|TLS_|XDG_|SSH_AUTH_SOCK$|(HTTPS?|ALL|NO)_PROXY$|(NO|FORCE)_COLOR$|(ID_LIKE|VERSION_ID|PRETTY_NAME)$|(MULTIPLE_DOCS|DUPLICATE_KEY|TAB_AS_INDENT)$|(ABORT_ERR|ERR_STREAM_PREMATURE_CLOSE)$|(PREFLIGHT|VERIFY|CLUSTER_FILE)$)/;

/** Rows of the tables: code, and the other cells. */
const rows = new Map([...docs.matchAll(/^\| `([A-Z_]+)` \| (.*) \|$/gm)].map(([, code, cells]) => [code!, cells!.split(' | ')]));

const written = new Set(
  sources.flatMap((text) => [
    ...[...text.matchAll(/'([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)'/g)].map(([, word]) => word!),
    ...[...text.matchAll(/\bcode: '([A-Z]+)'|, '(ABORTED|BUG|LOCKED|INTERRUPTED)'/g)].map(([, a, b]) => (a ?? b)!),
  ]),
);
const codes = [...written].filter((word) => !others.test(word)).sort();
const ofChecks = [...preflightChecks.map(({ id }) => checkCode('PREFLIGHT', id)), ...verifyChecks.map(({ id }) => checkCode('VERIFY', id))];

describe('docs/errors.md', () => {
  test('has every code that stands in the sources, and no other', () => {
    expect(codes.length).toBeGreaterThan(100);
    expect([...rows.keys()].sort()).toEqual([...codes, ...ofChecks].sort());
  });

  test('has the exit code that follows from each error', () => {
    const told = (code: string): string => rows.get(code)![0]!;
    const wrong = sources.flatMap((text) =>
      [...text.matchAll(/code: '([A-Z_]+)',\s+category: '(\w+)'/g)].flatMap(([, code, category]) =>
        new RegExp(`\\b${exitCodeOf(category as Category)}\\b`).test(told(code!)) ? [] : [`${code} ${category}: ${told(code!)}`],
      ),
    );
    expect(wrong).toEqual([]);
  });

  test('is fresh where it is made from the checks (npm run build && node test/generate.mjs)', () => {
    for (const table of Object.values(checkTables())) expect(docs).toContain(table);
  });

  test('speaks of commands that exist', () => {
    const known = readFileSync(join(root, 'src/cli/commands/index.ts'), 'utf8');
    for (const [, name] of docs.matchAll(/`slipway ((?:(?:lab|bundle|artifacts) )?[a-z]+)/g)) expect(known).toContain(`name: '${name}'`);
  });
});

test('findings of checks have the codes of that page', () => {
  const refusal = preflightError([{ check: 'disk-space', severity: 'error', hosts: [], what: 'x', hint: 'y' }])!;
  expect(refusal.errors[0]!.code).toBe(checkCode('PREFLIGHT', 'disk-space'));
  const failure = verifyError([{ id: 'api-server', title: '', ok: 'fail', message: 'x' }])!;
  expect(failure.errors[0]!.code).toBe(checkCode('VERIFY', 'api-server'));
});
