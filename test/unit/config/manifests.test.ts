import { describe, expect, test } from '@jest/globals';
import { SlipwayErrors, type SlipwayError } from '../../../src/base/errors.ts';
import { identityOf, parseManifests } from '../../../src/config/manifests.ts';

const parse = (...texts: string[]) => parseManifests(texts.map((text, i) => ({ path: `${'abc'[i]}.yaml`, text })));

function problems(...texts: string[]): string[] {
  try {
    parse(...texts);
  } catch (error) {
    const errors = error instanceof SlipwayErrors ? error.errors : [error as SlipwayError];
    return errors.map(({ code, category, where, message, hint }) => {
      expect([code, category]).toEqual(['MANIFEST_INVALID', 'usage']);
      return `${where.file}:${where.line}:${where.column} ${message}${hint === undefined ? '' : ` | ${hint}`}`;
    });
  }
  return [];
}

const configMap = (name: string, more = ''): string => `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ${name}${more} }\n`;

describe('manifests', () => {
  test('are read to the names of their objects, in the order of files and documents', () => {
    const list = JSON.stringify({
      apiVersion: 'v1',
      kind: 'List',
      items: [{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web', namespace: 'shop' } }],
    });
    const { objects, text } = parse(`# nothing but words\n---\n${configMap('one')}---\n${configMap('two', ', namespace: shop')}`, list);
    expect(objects).toEqual([
      { apiVersion: 'v1', kind: 'ConfigMap', name: 'one' },
      { apiVersion: 'v1', kind: 'ConfigMap', namespace: 'shop', name: 'two' },
      { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'shop', name: 'web' },
    ]);
    expect(text).toContain(`\n---\n${list}\n`);
    expect(text.startsWith('---\n')).toBe(true);
    expect(parse()).toEqual({ text: '', objects: [] });
    expect(parse('', '# empty\n---\n').objects).toEqual([]);
  });

  test.each([
    [
      'data:\n  a: [1, 2\n',
      ['a.yaml:3:1 cannot be read as YAML: Flow sequence in block collection must be sufficiently indented and end with a ]'],
    ],
    [
      `${configMap('a')}---\nkind: ConfigMap\nmetadata: { name: b }\n`,
      ['a.yaml:5:1 the object has no apiVersion | Write it as text, such as apps/v1.'],
    ],
    ['apiVersion: v1\nmetadata: { name: b }\n', ['a.yaml:1:1 the object has no kind | Write it as text, such as Deployment.']],
    ['just words\n', ['a.yaml:1:1 "just words" is no Kubernetes object']],
    ['\n\n- a\n', ['a.yaml:3:1 a list is no Kubernetes object']],
    [
      'apiVersion: v1\nkind: Pod\nmetadata: {}\n',
      ['a.yaml:1:1 the Pod has no metadata.name | Give it a name: an object without one cannot be found again.'],
    ],
    [
      'apiVersion: v1\nkind: Pod\nmetadata: { generateName: a- }\n',
      ['a.yaml:1:1 the Pod has no metadata.name | generateName makes another object each time: give it a name of its own.'],
    ],
    [
      'apiVersion: v1\nkind: Pod\nmetadata: { name: on }\n',
      ['a.yaml:1:1 the Pod has no metadata.name | Put it in quotes: YAML reads true, which is no text.'],
    ],
  ])('with a mistake are refused with its position: %j', (text, expected) => {
    expect(problems(text)).toEqual(expected);
  });

  test('are refused with all their mistakes at once', () => {
    expect(problems(configMap('a'), `kind: A\n---\nkind: B\n---\n${configMap('a', ', namespace: default')}`)).toEqual([
      'b.yaml:1:1 the object has no apiVersion | Write it as text, such as apps/v1.',
      'b.yaml:3:1 the object has no apiVersion | Write it as text, such as apps/v1.',
      'b.yaml:5:1 ConfigMap default/a stands in a.yaml:1 already | Keep one of the two.',
    ]);
  });
});

test('an object is the same in every version of its API, and in `default` with and without the word', () => {
  const base = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'a' };
  expect(identityOf(base)).toBe(identityOf({ ...base, apiVersion: 'apps/v1beta1', namespace: 'default' }));
  expect(identityOf(base)).not.toBe(identityOf({ ...base, apiVersion: 'v1' }));
  expect(identityOf(base)).not.toBe(identityOf({ ...base, namespace: 'b' }));
});
