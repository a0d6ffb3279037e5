import { describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { parseManifests } from '../../../src/config/manifests.ts';
import { makePlan } from '../../../src/engine/plan.ts';
import { emptyState, type HostState } from '../../../src/engine/state.ts';
import type { ScriptAction, Step } from '../../../src/engine/step.ts';
import type { Context } from '../../../src/phases/context.ts';
import { userManifests } from '../../../src/phases/user-manifests.ts';
import { contextOf, statesAfter } from './context.ts';

const SECRET = 'c2VjcmV0LXZhbHVl';
const object = (kind: string, name: string, namespace?: string): string =>
  `apiVersion: v1\nkind: ${kind}\nmetadata: { name: ${name}${namespace === undefined ? '' : `, namespace: ${namespace}`} }\ndata: { a: ${SECRET} }\n`;
const manifests = (...texts: string[]) => parseManifests(texts.map((text, i) => ({ path: `${i}.yaml`, text })));
const recorded = (kind: string, name: string, namespace?: string): string =>
  JSON.stringify({ apiVersion: 'v1', kind, metadata: { ...(namespace === undefined ? {} : { namespace }), name } });

/** With a cluster that remembers these lines. */
function planned(context: Context, ...lines: string[]): readonly Step[] {
  const states: Record<string, HostState> = { 'cp-1': { ...emptyState, probes: { objects: lines.join('\n') } } };
  return makePlan({ phases: [userManifests] }, { ...context, states }, states).steps;
}

describe('manifests of the cluster file', () => {
  const wanted = manifests(object('Namespace', 'shop'), object('Secret', 'keys', 'shop'), object('ConfigMap', 'plain'));
  const context: Context = { ...contextOf(), manifests: wanted };

  test('are applied by one control plane, and once', () => {
    const steps = planned(context);
    expect(steps.map(({ id, summary: words }) => `${id}: ${words}`)).toEqual([
      'cp-1/user-manifests/apply: apply 3 objects of spec.addons.manifests',
    ]);
    const states = statesAfter(steps, {});
    expect(makePlan({ phases: [userManifests] }, { ...context, states }, states).steps).toEqual([]);
  });

  test('are in no plan with their text, which may hold secrets', () => {
    expect(JSON.stringify(planned(context))).not.toContain(SECRET);
  });

  test('are applied again when their text changed, or one of their objects is gone', () => {
    const states = statesAfter(planned(context), {});
    const edited = { ...context, states, manifests: { ...wanted, text: `${wanted.text}# a word\n` } };
    expect(makePlan({ phases: [userManifests] }, edited, states).steps.map(({ reason }) => reason)).toEqual([
      expect.stringMatching(/^not so: manifests [0-9a-f]{64}$/),
    ]);
    const lines = states['cp-1']!.probes['objects']!.split('\n').filter((line) => !line.includes('keys'));
    expect(planned(context, ...lines).map(({ reason }) => reason)).toEqual(['not so: object v1 Secret shop/keys']);
  });

  test('are deleted by name when they left the files, what others live in last', () => {
    const steps = planned(
      { ...context, manifests: manifests(object('ConfigMap', 'plain', 'default')) },
      recorded('Namespace', 'shop'),
      recorded('Secret', 'keys', 'shop'),
      recorded('ConfigMap', 'plain'),
    );
    expect(steps.map(({ summary: words }) => words)).toEqual([
      'apply the object of spec.addons.manifests',
      'delete what left spec.addons.manifests: Secret shop/keys, Namespace shop',
    ]);
    const { script } = steps[1]!.action as ScriptAction;
    expect(script.indexOf(recorded('Secret', 'keys', 'shop'))).toBeLessThan(script.indexOf(recorded('Namespace', 'shop')));
  });

  test('are not deleted because another version of their API, or the namespace default, is written now', () => {
    const steps = planned({ ...context, manifests: manifests(object('ConfigMap', 'plain', 'default')) }, recorded('ConfigMap', 'plain'));
    expect(steps.at(-1)!.summary).toBe('note the versions in which objects are written now');
    expect((steps.at(-1)!.action as ScriptAction).script).not.toContain('kubectl delete');
  });

  test('leave nothing of ours behind when the field is emptied', () => {
    const steps = planned({ ...context, manifests: manifests() }, recorded('ConfigMap', 'plain'));
    expect(steps.map(({ summary: words }) => words)).toEqual(['delete what left spec.addons.manifests: ConfigMap plain']);
    expect((steps[0]!.action as ScriptAction).script).toContain('delete configmap slipway-manifests');
    expect(planned({ ...context, manifests: manifests() })).toEqual([]);
  });

  test('are left alone where they were not read, and where the control plane is outside of the limit', () => {
    expect(planned(contextOf(), recorded('ConfigMap', 'plain'))).toEqual([]);
    expect(planned({ ...context, limit: ['w-1'] })).toEqual([]);
  });

  test('become scripts that a POSIX shell can read', async () => {
    for (const { action } of planned(context, recorded('ConfigMap', 'gone')))
      await execa('sh', ['-n'], { input: (action as ScriptAction).script });
  });
});
