import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { apply } from '../../../playbooks/apply.ts';
import { planDocument, planScope } from '../../../src/cli/plan-document.ts';
import { readSavedPlan, refuseForeignPlan, refuseOtherPlan } from '../../../src/cli/saved-plan.ts';
import { makePlan, type Plan } from '../../../src/engine/plan.ts';
import { contextOf } from '../phases/context.ts';

let directory: string;
let path: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'slipway-plan-'));
  path = join(directory, 'plan.json');
});
afterAll(() => rm(directory, { recursive: true }));

const context = contextOf();
const plan = makePlan(apply, context, {});
const empty = makePlan({ phases: [] }, context, {});
const everything = planScope(context.cluster, { limit: [], skipPhase: [] });

async function saved(made: Plan, scope = everything, change: (document: Record<string, unknown>) => unknown = (document) => document) {
  const [first] = made.steps;
  const diffs = first ? { [first.id]: '@@ -1 +1 @@' } : {};
  const document = planDocument(made, { cluster: 'prod', diffs, scope });
  await writeFile(path, JSON.stringify(change(document), null, 2));
  return readSavedPlan(path);
}

test('a saved plan is the plan that it was made from', async () => {
  const found = await saved(plan);
  refuseOtherPlan(found, plan, everything);
  refuseForeignPlan(found, { cluster: 'prod', file: 'cluster.yaml' });
  refuseOtherPlan(await saved(empty), empty, everything);
});

describe('a saved plan is refused', () => {
  const outdated = { code: 'PLAN_OUTDATED', category: 'refused', hint: 'look at the new plan: slipway plan --out FILE' };

  test('when nothing is left to do, and when there was nothing to do', async () => {
    const full = await saved(plan);
    expect(() => refuseOtherPlan(full, empty, everything)).toThrow(expect.objectContaining(outdated));
    const nothing = await saved(empty);
    expect(() => refuseOtherPlan(nothing, plan, everything)).toThrow(expect.objectContaining(outdated));
  });

  test.each([
    ['--limit', { limit: ['w-1'], skipPhase: [] }, 'was made with --limit w-1, and this is for all hosts and phases'],
    ['--skip-phase', { limit: [], skipPhase: ['etcd'] }, 'was made with --skip-phase etcd, and this is for all hosts and phases'],
  ])('with the flags that were other ones: %s', async (_, given, message) => {
    const found = await saved(plan, planScope(context.cluster, given));
    expect(() => refuseOtherPlan(found, empty, everything)).toThrow(
      expect.objectContaining({ code: 'PLAN_OUTDATED', message: expect.stringContaining(message), hint: expect.stringContaining('flags') }),
    );
  });

  test('without a word about flags when an older Slipway, which did not write them, made it', async () => {
    const found = await saved(plan, everything, ({ limit: _, skipPhase: __, ...older }) => older);
    expect(() => refuseOtherPlan(found, empty, { limit: ['w-1'], skipPhase: [] })).toThrow(expect.objectContaining(outdated));
  });

  test('when it is for another cluster', async () => {
    const found = await saved(plan);
    expect(() => refuseForeignPlan(found, { cluster: 'test', file: 'test.yaml' })).toThrow(
      expect.objectContaining({
        code: 'PLAN_FOREIGN',
        category: 'refused',
        message: 'it is a plan for the cluster prod, and test.yaml is that of test',
        where: { file: path },
      }),
    );
  });
});

describe('what is no saved plan says why', () => {
  type Document = Record<string, unknown>;
  const without = (document: Document, key: string): Document => ({ ...document, [key]: undefined });
  test.each<[string, (document: Document) => unknown, string]>([
    ['an empty document', () => ({}), 'its apiVersion is missing, not slipway.dev/v1'],
    ['a list', () => [], 'expected object'],
    ['of another version', (document) => ({ ...document, apiVersion: 'slipway.dev/v2' }), 'its apiVersion is "slipway.dev/v2"'],
    ['of another kind', (document) => ({ ...document, kind: 'Cluster' }), 'its kind is "Cluster", not Plan'],
    ['without a cluster', (document) => without(document, 'cluster'), 'it does not name its cluster'],
    ['without a digest', (document) => without(document, 'digest'), 'it has no digest'],
    ['without steps', (document) => without(document, 'steps'), 'it has no steps'],
    [
      'with a step taken out',
      (document) => ({ ...document, steps: (document['steps'] as unknown[]).slice(1) }),
      'its steps are not those of its digest',
    ],
  ])('%s', async (_, change, message) => {
    await expect(saved(plan, everything, change)).rejects.toMatchObject({
      code: 'PLAN_UNREADABLE',
      category: 'usage',
      message: expect.stringContaining(message),
    });
  });

  test('no JSON, no file', async () => {
    await writeFile(path, 'steps:\n');
    await expect(readSavedPlan(path)).rejects.toMatchObject({ code: 'PLAN_UNREADABLE', message: expect.stringContaining('JSON') });
    await expect(readSavedPlan(join(directory, 'none.json'))).rejects.toMatchObject({ code: 'PLAN_UNREADABLE' });
  });
});
