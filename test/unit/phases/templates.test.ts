import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { parseAllDocuments } from 'yaml';
import { apply } from '../../../playbooks/apply.ts';
import { templatesDirectory } from '../../../src/base/package-root.ts';
import { makePlan } from '../../../src/engine/plan.ts';
import { createRenderer, unitWord } from '../../../src/phases/templates.ts';
import { contextOf } from './context.ts';

const templates = readdirSync(templatesDirectory(), { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.hbs'));

describe('rendering', () => {
  test('escapes nothing as HTML, and refuses a name that the data does not have', () => {
    const render = createRenderer({ a: '{{x}}', b: '{{yaml x}}' });
    expect(render('a', { x: '"a" & b=c' })).toBe('"a" & b=c');
    expect(() => render('a', {})).toThrow();
    expect(render('b', { x: 'one\ntwo: 3' })).toBe('"one\\ntwo: 3"');
  });

  test('writes words of ExecStart as systemd reads them', () => {
    expect(unitWord('--a=b')).toBe('--a=b');
    expect(unitWord('--a=50%')).toBe('--a=50%%');
    expect(unitWord('--a=$HOME')).toBe('--a=$$HOME');
    expect(unitWord('--a=b c "d" \\')).toBe('"--a=b c \\"d\\" \\\\"');
  });
});

describe('templates', () => {
  test.each(templates.filter((name) => /\.yaml\.hbs$|^kubeconfig/.test(name)))(
    '%s interpolates values through a helper, so that none can add a key',
    (name) => {
      const text = readFileSync(join(templatesDirectory(), name), 'utf8');
      const bare = [...text.matchAll(/\{\{\s*([^#/!}][^}]*)\}\}/g)]
        .map((match) => match[1]!.trim())
        .filter((inner) => !/^(yaml|json|flag|else)\b/.test(inner));
      // Checked by the cluster file's own schema: a domain name, a number, a fixed list. Paths of our own.
      const safe = ['clusterDomain', 'replicas', 'this', 'port', '../port', 'certificate', 'key', 'authority'];
      expect(bare.filter((inner) => !safe.includes(inner))).toEqual([]);
    },
  );

  test('render, for a whole cluster, to files that their readers can parse', () => {
    const { steps } = makePlan(apply, contextOf(), {});
    const files = steps.flatMap(({ action }) =>
      action.kind === 'file' && 'text' in action.content ? [{ path: action.path, text: action.content.text }] : [],
    );
    expect(files.length).toBeGreaterThan(40);
    for (const { path, text } of files) {
      expect(text).not.toMatch(/undefined|\[object|\{\{/);
      if (path.endsWith('.json')) JSON.parse(text);
      if (/\.(yaml|conf)$/.test(path) && !/sysctl|modules|service\.d/.test(path))
        for (const document of parseAllDocuments(text)) expect(document.errors).toEqual([]);
      if (path.endsWith('.service') && !path.endsWith('-defrag.service'))
        for (const section of ['[Unit]', '[Service]', '[Install]', 'SLIPWAY_INPUTS=']) expect(text).toContain(section);
    }
  });
});
