import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { z } from 'zod';
import { apply } from '../../../playbooks/apply.ts';
import { packageRoot } from '../../../src/base/package-root.ts';
import { planDocument, planSchema, planSchemaText, type PlanDocument } from '../../../src/cli/plan-document.ts';
import type { JsonSchema } from '../../../src/config/shape.ts';
import { makePlan } from '../../../src/engine/plan.ts';
import { kernelFeatures } from '../preflight/hosts.ts';
import { contextOf } from '../phases/context.ts';

const committed = readFileSync(join(packageRoot(), 'schema/v1/plan.json'), 'utf8');

/** The plan of a new cluster; some kernel modules are not loaded on one host, so that every kind of action is in it. */
function document(diffs: Readonly<Record<string, string>> = {}): PlanDocument {
  const context = contextOf();
  const facts = { ...context.facts, 'w-1': kernelFeatures({ unloaded: ['overlay'] })(context.facts['w-1']!) };
  return planDocument(makePlan(apply, { ...context, facts }, {}), { cluster: 'prod', diffs, scope: { limit: [], skipPhase: [] } });
}

describe('the document of a plan', () => {
  test('holds every kind of action, and nothing that its schema does not describe', () => {
    const made = document({ 'cp-1/etcd/unit': '@@ -1 +1 @@' });
    expect(new Set(made.steps.map(({ action }) => action.kind))).toEqual(
      new Set(['artefact', 'directory', 'file', 'link', 'local', 'package', 'script', 'sysctl', 'unit', 'user', 'wait']),
    );
    expect(planSchema.parse(made)).toEqual(made);
    expect(made.steps.filter(({ diff }) => diff !== undefined).map(({ id }) => id)).toEqual(['cp-1/etcd/unit']);
  });

  test('passes the JSON Schema that is in the package; one with a field less does not', () => {
    const schema = z.fromJSONSchema(JSON.parse(committed));
    const made = document();
    expect(schema.safeParse(made).error).toBeUndefined();
    const [first, ...rest] = made.steps;
    for (const key of ['id', 'host', 'phase', 'summary', 'reason', 'lane', 'needs', 'action'] as const) {
      const { [key]: _, ...less } = first!;
      expect(schema.safeParse({ ...made, steps: [less, ...rest] }).success).toBe(false);
    }
    expect(schema.safeParse({ ...made, digest: 'x' }).success).toBe(false);
  });

  test('may get more fields later, as far as readers are concerned', () => {
    expect(z.fromJSONSchema(JSON.parse(committed)).safeParse({ ...document(), later: true }).success).toBe(true);
  });

  test('names secrets, and holds none', () => {
    for (const { action } of document().steps)
      if (action.kind === 'file' && action.secret === true) expect(action.content).not.toHaveProperty('text');
  });
});

describe('schema/v1/plan.json', () => {
  test('is fresh (npm run build && node test/generate.mjs)', () => {
    expect(committed).toBe(planSchemaText());
  });

  test('describes every field', () => {
    const silent = (schema: JsonSchema, path: string): string[] => [
      ...(schema.description === undefined && schema.const === undefined ? [path] : []),
      ...Object.entries(schema.properties ?? {}).flatMap(([name, inner]) => silent(inner, `${path}.${name}`)),
      ...[...(schema.anyOf ?? []), ...((schema['oneOf'] as JsonSchema[] | undefined) ?? [])].flatMap((inner) =>
        Object.entries(inner.properties ?? {}).flatMap(([name, field]) => silent(field, `${path}.${name}`)),
      ),
      ...(schema.items === undefined || schema.items.type === 'string' ? [] : silent(schema.items, `${path}[]`)),
    ];
    expect(silent(JSON.parse(committed) as JsonSchema, 'plan')).toEqual([]);
  });
});
