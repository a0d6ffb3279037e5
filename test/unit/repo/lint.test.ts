import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { ESLint } from 'eslint';
import tseslint from 'typescript-eslint';
import { packageRoot } from '../../../src/base/package-root.ts';

const { default: config } = (await import(join(packageRoot(), 'eslint.config.js'))) as { default: [] };
// The examples are no files of the project, so the rules that ask the type checker cannot look at them.
const eslint = new ESLint({
  cwd: packageRoot(),
  overrideConfigFile: true,
  overrideConfig: [...config, tseslint.configs.disableTypeChecked],
});

/** Messages for `code` as if it were the whole of `file`. */
async function lint(file: string, code: string): Promise<string[]> {
  const [result] = await eslint.lintText(code, { filePath: join(packageRoot(), file) });
  return result!.messages
    .filter(({ ruleId }) => ruleId !== '@typescript-eslint/no-unused-vars')
    .map(({ ruleId, message }) => `${ruleId}: ${message}`);
}

describe('rooms', () => {
  test.each([
    ['src/base/x.ts', "import '../config/cluster.ts';", 'base may not import from config'],
    ['src/remote/x.ts', "import { quote } from '../config/x.ts';", 'remote may not import from config'],
    ['src/config/x.ts', "export * from '../remote/runner.ts';", 'config may not import from remote'],
    ['src/engine/x.ts', "export { x } from '../facts/facts.ts';", 'engine may not import from facts'],
    ['src/engine/x.ts', "const x = await import('../pki/state.ts');", 'engine may not import from pki'],
    ['src/lab/x.ts', "let x: import('../remote/target.ts').Target;", 'lab may not import from remote'],
    ['src/engine/actions/x.ts', "import type { Inventory } from '../../pki/types.ts';", 'engine may not import from pki'],
    ['src/components/x.ts', "import { specDigest } from '../pki/status.ts';", 'components may import only types from pki'],
    ['src/components/x.ts', "import { type A, b } from '../artifacts/types.ts';", 'components may import only types from artifacts'],
    ['playbooks/x.ts', "import { etcd } from '../src/components/etcd.ts';", 'playbooks may not import from components'],
    ['src/phases/x.ts', "import { main } from '../cli/main.ts';", 'phases may not import from cli'],
    ['src/cli/x.ts', "import { x } from '../../test/helpers/sshd.ts';", 'lies in no room that cli may import from'],
    ['src/facts/x.ts', "import { NodeSSH } from 'node-ssh';", 'node-ssh belongs to remote'],
    ['src/engine/x.ts', "import { Listr } from 'listr2';", 'listr2 belongs to cli'],
    ['src/artifacts/x.ts', "import { $ } from 'zx';", 'zx belongs to no room'],
  ])('%s: %s', async (file, code, words) => {
    const messages = (await lint(file, code)).filter((message) => message.startsWith('slipway/rooms: '));
    expect(messages).toEqual([expect.stringContaining(words)]);
  });

  test.each([
    ['src/components/x.ts', "import type { Facts } from '../facts/facts.ts';"],
    ['src/components/x.ts', "import { type Artefact } from '../artifacts/types.ts';"],
    ['src/phases/x.ts', "import { specDigest } from '../pki/status.ts';"],
    ['src/cli/x.ts', "import { Listr } from 'listr2';"],
    ['src/remote/x.ts', "import { NodeSSH } from 'node-ssh';"],
    ['src/pki/x.ts', "import { x } from './y.ts';"],
    ['test/unit/x.test.ts', "import { main } from '../../src/cli/main.ts';"],
  ])('allowed: %s: %s', async (file, code) => {
    expect(await lint(file, code)).toEqual([]);
  });
});

describe('what is pure', () => {
  test.each([
    ["import { readFile } from 'node:fs/promises';", 'node:fs/promises'],
    ["import fs from 'fs';", 'fs'],
    ["import net from 'node:net';", 'node:net'],
    ["import { spawn } from 'node:child_process';", 'node:child_process'],
    ["import { hostname } from 'node:os';", 'node:os'],
    ["import { env } from 'node:process';", 'node:process'],
    ["import { createHash, randomBytes } from 'node:crypto';", 'node:crypto'],
    ["import crypto from 'node:crypto';", 'node:crypto'],
    ["const x = await import('node:fs');", 'node:fs'],
    ["import { execa } from 'execa';", 'execa'],
    ["const x = fetch('http://x');", 'fetch'],
    ['const x = Date.now();', 'Date.now'],
    ["const x = Date['now']();", 'Date.now'],
    ['const x = new Date();', 'new Date()'],
    ['const x = Date();', 'Date()'],
    ['const x = Math.random();', 'Math.random'],
    ['const x = crypto.randomUUID();', 'crypto'],
    ['const x = process.env.HOME;', 'process'],
    ['const x = performance.now();', 'performance'],
    ['setTimeout(() => 1, 1);', 'setTimeout'],
    ['const x = globalThis.process;', 'globalThis'],
  ])('may not have %s', async (code, name) => {
    for (const file of [
      'src/components/x.ts',
      'src/phases/x.ts',
      'src/config/schema.ts',
      'src/checks/preflight/x.ts',
      'src/pki/status.ts',
    ]) {
      expect({ file, messages: await lint(file, code) }).toEqual({
        file,
        messages: [expect.stringContaining(`slipway/pure: This file is pure`)],
      });
      expect((await lint(file, code))[0]).toContain(name);
    }
  });

  test('may not get at files by way of a module of ours that does', async () => {
    expect(await lint('src/components/x.ts', "import { templatesDirectory } from '../base/package-root.ts';")).toEqual([
      'slipway/pure: This file is pure and may not import values from src/base/package-root.ts, which is not.',
    ]);
  });

  test.each([
    "import { posix } from 'node:path';",
    "import { createHash } from 'node:crypto';",
    "import { sh } from '../base/quote.ts';",
    "import type { Runner } from '../remote/runner.ts';",
    'const x = new Date(0).toISOString();',
    'const x = Math.max(1, 2);',
    'function f(now: number, process: string) { return [now, process]; }',
    'const x = { fetch: 1, process: 2 }.fetch;',
  ])('may have %s', async (code) => {
    expect(await lint('src/phases/x.ts', code)).toEqual([]);
  });

  test('is not asked of what reads files and hosts', async () => {
    for (const file of ['src/config/load.ts', 'src/phases/gather.ts', 'src/pki/state.ts']) {
      expect(await lint(file, "import { readFile } from 'node:fs/promises'; const x = Date.now();")).toEqual([]);
    }
  });
});

describe('manners', () => {
  test('only the command line prints and ends the program', async () => {
    for (const code of ["console.log('x');", 'process.exit(1);', "process.stdout.write('x');"]) {
      expect(await lint('src/engine/x.ts', code)).toHaveLength(1);
      expect(await lint('src/cli/x.ts', code)).toEqual([]);
    }
  });

  test('a function has three parameters at most', async () => {
    const code = 'function f(a: 1, b: 2, c: 3, d: 4) { return [a, b, c, d]; }';
    expect(await lint('src/engine/x.ts', code)).toEqual([expect.stringContaining('max-params')]);
  });
});
