import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { readManifests } from '../../../src/cli/manifests.ts';
import { main } from '../../../src/cli/main.ts';
import { loadCluster } from '../../../src/config/load.ts';
import { fakeIo } from '../init/io.ts';

let directory: string;
const at = (name: string): string => join(directory, name);
const object = (name: string): string => `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ${name} }\n`;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'slipway-manifests-'));
  await mkdir(at('more/deeper'), { recursive: true });
  await writeFile(at('one.yaml'), object('one'));
  await writeFile(at('more/b.yml'), object('b'));
  await writeFile(at('more/a.yaml'), object('a'));
  await writeFile(at('more/c.json'), JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c' } }));
  await writeFile(at('more/README.md'), '# not a manifest');
  await writeFile(at('more/deeper/d.yaml'), object('d'));
  await writeFile(at('wrong.yaml'), `${object('fine')}---\nkind: ConfigMap\n`);
});
afterAll(() => rm(directory, { recursive: true }));

async function clusterFile(...manifests: string[]): Promise<string> {
  const file = at('cluster.yaml');
  await writeFile(
    file,
    `spec:
  hosts:
    - { name: a-1, address: 192.0.2.1, roles: [control-plane, worker] }
  addons:
    manifests: [${manifests.join(', ')}]
`,
  );
  return file;
}

test('files are taken as they are listed, those of a directory by name', async () => {
  const { objects } = await readManifests(await loadCluster(await clusterFile('more', 'one.yaml', 'more/a.yaml')));
  expect(objects.map(({ name }) => name)).toEqual(['a', 'b', 'c', 'one']);
});

describe.each(['validate', 'plan', 'apply'])('slipway %s, before it asks a host,', (verb) => {
  async function run(...manifests: string[]): Promise<[number, string]> {
    const io = fakeIo({ interactive: false, env: { XDG_STATE_HOME: await mkdtemp(at('state-')), XDG_CACHE_HOME: at('cache') } });
    const code = await main([verb, '-f', await clusterFile(...manifests), ...(verb === 'apply' ? ['--yes'] : [])], io);
    return [code, io.err().replaceAll(directory, '')];
  }

  test('names a file that is not there, and where it is asked for', async () => {
    const [code, err] = await run('one.yaml', 'nowhere.yaml');
    expect([code, err]).toEqual([
      3,
      expect.stringContaining('error /cluster.yaml:5:27: there is no manifest at /nowhere.yaml [MANIFEST_UNREADABLE]'),
    ]);
  });

  test('names the place of an object that cannot be used', async () => {
    const [code, err] = await run('wrong.yaml');
    expect([code, err]).toEqual([3, expect.stringContaining('error /wrong.yaml:5:1: the object has no apiVersion [MANIFEST_INVALID]')]);
  });
});
