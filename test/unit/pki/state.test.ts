import { createHash, createPrivateKey, createPublicKey } from 'node:crypto';
import { chmod, mkdtemp, readFile, readdir, rename, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { openState, stateDirectory, type State } from '../../../src/pki/state.ts';
import { certificateStatus } from '../../../src/pki/status.ts';
import { spec } from './specs.ts';

let parent: string;
let directory: string;
const opened: State[] = [];

beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'slipway-state-'));
  directory = join(parent, 'prod.state');
});

afterEach(async () => {
  for (const state of opened.splice(0)) await state.close();
  await rm(parent, { recursive: true });
});

async function open(cluster = 'prod'): Promise<State> {
  const state = await openState(directory, { cluster });
  opened.push(state);
  return state;
}

/** A directory with everything in it, written and closed. */
async function filled(): Promise<State> {
  const state = await open();
  await state.createAuthority('kubernetes');
  await state.createSecret('service-account.pub');
  await state.createSecret('encryption-key');
  await state.issue('cp-1', spec());
  await state.close();
  return state;
}

async function everything(path = directory): Promise<string[]> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  return entries.map((entry) => join(entry.parentPath, entry.name));
}

function sha256(text: string | Buffer): string {
  return createHash('sha256').update(text).digest('hex');
}

test('the directory lies beside the cluster file', () => {
  expect(stateDirectory('/srv/clusters/cluster.yaml', 'prod')).toBe('/srv/clusters/prod.state');
});

describe('opening', () => {
  test('writes nothing, so that a plan changes nothing', async () => {
    expect((await open()).inventory()).toEqual({ authorities: {}, certificates: {}, secrets: {} });
    expect(await readdir(parent)).toEqual([]);
  });

  test('gives back what the last process recorded', async () => {
    const before = await filled();
    const after = await open();
    expect(after.inventory()).toEqual(before.inventory());
    expect(Object.keys(after.inventory().certificates)).toEqual(['cp-1/kube-apiserver']);
    expect(await after.authorityKey('kubernetes')).toBe(await before.authorityKey('kubernetes'));
    expect(await after.secretBytes('encryption-key')).toEqual(await before.secretBytes('encryption-key'));
    expect(after.warnings).toEqual([]);
  });
});

describe('what is kept', () => {
  test('can be read by its owner only, whatever the umask, and is not for version control', async () => {
    const umask = process.umask(0);
    try {
      await filled();
    } finally {
      process.umask(umask);
    }
    for (const path of [directory, ...(await everything())]) {
      const { mode } = await stat(path);
      expect({ path, mode: (mode & 0o7777).toString(8) }).toEqual({ path, mode: (await stat(path)).isDirectory() ? '700' : '600' });
    }
    expect(await readFile(join(directory, '.gitignore'), 'utf8')).toBe('*\n');
  });

  test('does not include the key of any leaf', async () => {
    const state = await open();
    await state.createAuthority('kubernetes');
    const { keyPem, certificatePem } = await state.issue('cp-1', spec());
    await state.close();
    expect(state.issued('cp-1', 'kube-apiserver')).toMatchObject({ keyPem, certificatePem });
    for (const path of await everything()) {
      if ((await stat(path)).isFile()) expect(await readFile(path, 'utf8')).not.toContain(keyPem.split('\n')[1]);
    }
    expect((await open()).issued('cp-1', 'kube-apiserver')).toBeUndefined();
  });

  test('names what was issued by the digests of the delivered files', async () => {
    const state = await open();
    await state.createAuthority('kubernetes');
    const first = await state.issue('cp-1', spec());
    expect(state.inventory().certificates['cp-1/kube-apiserver']).toMatchObject({
      generation: 1,
      certificateSha256: sha256(first.certificatePem),
      keySha256: sha256(first.keyPem),
      notAfter: first.notAfter,
    });
    await state.issue('cp-1', spec());
    expect(state.inventory().certificates['cp-1/kube-apiserver']!.generation).toBe(2);
    const issued = state.inventory().certificates['cp-1/kube-apiserver']!;
    const status = certificateStatus({
      spec: spec(),
      issued,
      authority: state.inventory().authorities.kubernetes,
      hostCertificateSha256: sha256(first.certificatePem),
      hostKeySha256: sha256(first.keyPem),
      now: Date.now(),
      renewBeforeDays: 60,
    });
    expect(status).toEqual({ issue: 'differs from what was issued: /etc/kubernetes/pki/apiserver.crt' });
  });

  test('is made once: authorities and secrets stay what they are', async () => {
    const state = await open();
    await Promise.all([state.createAuthority('etcd'), state.createAuthority('etcd'), state.createSecret('encryption-key')]);
    const [authority, key] = [await state.authorityCertificate('etcd'), await state.secretBytes('encryption-key')];
    await state.createAuthority('etcd');
    await state.createSecret('encryption-key');
    expect(await state.authorityCertificate('etcd')).toBe(authority);
    expect(await state.secretBytes('encryption-key')).toEqual(key);
    expect(state.inventory().secrets['encryption-key']).toEqual({ generation: 1, sha256: sha256(key) });
  });

  test('has a 32-byte encryption key and a service-account key pair that belongs together', async () => {
    const state = await filled();
    expect(Buffer.from((await state.secretBytes('encryption-key')).toString(), 'base64')).toHaveLength(32);
    const privateKey = createPrivateKey(await state.secretBytes('service-account.key'));
    expect(privateKey.asymmetricKeyDetails).toEqual({ namedCurve: 'prime256v1' });
    const derived = createPublicKey(privateKey).export({ type: 'spki', format: 'pem' });
    expect((await state.secretBytes('service-account.pub')).toString()).toBe(derived);
  });

  test('takes documents that others make, once', async () => {
    const state = await open();
    const first = await state.secretDocument('encryption-config', () => 'one');
    const second = await state.secretDocument('encryption-config', () => Promise.reject(new Error('must not be made again')));
    expect([first.toString(), second.toString()]).toEqual(['one', 'one']);
    await expect(state.secretDocument('../escape', () => 'x')).rejects.toMatchObject({ code: 'BUG' });
  });

  test('records many certificates at once in few writes, and each before it is handed out', async () => {
    const state = await open();
    await state.createAuthority('kubernetes');
    await Promise.all(
      Array.from({ length: 12 }, async (_, i) => {
        const pair = await state.issue(`w-${i}`, spec());
        const onDisk = JSON.parse(await readFile(join(directory, 'inventory.json'), 'utf8')) as {
          certificates: Record<string, { keySha256: string }>;
        };
        expect(onDisk.certificates[`w-${i}/kube-apiserver`]!.keySha256).toBe(sha256(pair.keyPem));
      }),
    );
  });
});

describe('a damaged directory is refused before anything is planned', () => {
  test.each([
    ['authorities/kubernetes.1.key', 'is missing', (path: string) => rm(path)],
    ['authorities/kubernetes.1.crt', 'is missing', (path: string) => rm(path)],
    ['secrets/encryption-key.1', 'is missing', (path: string) => rm(path)],
    ['secrets/encryption-key.1', 'is not what was written', (path: string) => truncate(path, 10)],
    ['authorities/kubernetes.1.key', 'is not what was written', (path: string) => writeFile(path, '')],
    ['inventory.json', 'inventory.json is missing', (path: string) => rm(path)],
    ['inventory.json', 'JSON', (path: string) => truncate(path, 300)],
    ['inventory.json', 'JSON', (path: string) => writeFile(path, '')],
    ['inventory.json', 'authorities', (path: string) => writeFile(path, '{"version":1,"cluster":"prod"}')],
  ])('%s %s', async (file, words, damage) => {
    await filled();
    await damage(join(directory, file));
    await expect(openState(directory, { cluster: 'prod' })).rejects.toMatchObject({
      code: 'STATE_DAMAGED',
      message: expect.stringContaining(words),
      where: { file: join(directory, file) },
      hint: expect.stringContaining('copy'),
    });
  });

  test('one of a newer format, and one of another cluster, are not touched', async () => {
    await filled();
    await expect(openState(directory, { cluster: 'test' })).rejects.toMatchObject({
      code: 'STATE_OF_ANOTHER_CLUSTER',
      message: 'The state directory belongs to the cluster prod, not test',
    });
    await writeFile(join(directory, 'inventory.json'), '{"version":2}');
    await expect(openState(directory, { cluster: 'prod' })).rejects.toMatchObject({ code: 'STATE_TOO_NEW' });
  });

  test('keys that others can read are warned of, certificates are not', async () => {
    await filled();
    await chmod(join(directory, 'authorities/kubernetes.1.key'), 0o640);
    await chmod(join(directory, 'authorities/kubernetes.1.crt'), 0o644);
    const { warnings } = await open();
    expect(warnings).toEqual([
      `Others on this machine can get at keys of the cluster: ${directory}/authorities/kubernetes.1.key (640). Close them: chmod -R go= ${directory}`,
    ]);
  });
});

describe('two writers', () => {
  test('the second is told who holds the directory and what to do', async () => {
    const first = await open();
    await first.createAuthority('etcd');
    const second = await open();
    await expect(second.createAuthority('kubernetes')).rejects.toMatchObject({
      code: 'STATE_LOCKED',
      category: 'locked',
      message: expect.stringContaining(`process ${process.pid} on `),
    });
    expect(second.inventory().authorities.etcd).toBeDefined();
    await first.close();
    await second.createAuthority('kubernetes');
    expect(Object.keys((await open()).inventory().authorities).sort()).toEqual(['etcd', 'kubernetes']);
  });

  test('a change planned from what has changed since is refused', async () => {
    const [first, second] = [await open(), await open()];
    await first.createAuthority('etcd');
    await first.close();
    const attempts = await Promise.allSettled([second.createAuthority('etcd'), second.issue('cp-1', spec({ authority: 'etcd' }))]);
    for (const attempt of attempts) expect(attempt).toMatchObject({ status: 'rejected', reason: { code: 'STATE_CHANGED' } });
    expect(await readdir(join(directory, 'authorities'))).toHaveLength(2);
  });

  test('who takes the lock and then plans sees the change', async () => {
    const [first, second] = [await open(), await open()];
    await first.createAuthority('etcd');
    await first.close();
    expect(await second.lock()).toEqual({ changed: true });
    expect(second.inventory().authorities).toEqual(first.inventory().authorities);
    await second.createAuthority('kubernetes');
    expect(Object.keys((await open()).inventory().authorities).sort()).toEqual(['etcd', 'kubernetes']);
  });

  test('a claim from another machine counts as living, one of an earlier boot does not', async () => {
    await filled();
    const lock = join(directory, 'lock');
    const state = await open();
    await state.lock();
    const [mine] = await readdir(lock);
    await state.close();
    const parts = mine!.split('@');
    const foreign = [...parts.slice(0, 4), 'another-machine', 'ab'].join('@');
    await writeFile(join(lock, foreign), '');
    await expect((await open()).lock()).rejects.toMatchObject({
      message: expect.stringContaining('another-machine'),
      hint: expect.stringContaining(foreign),
    });
    await rename(join(lock, foreign), join(lock, [parts[0], parts[1], 'earlier-boot', ...parts.slice(3)].join('@')));
    await (await open()).lock();
    expect(await readdir(lock)).toHaveLength(1);
  });
});

test('what was never made is a mistake of ours, said so', async () => {
  const state = await open();
  await expect(state.secretBytes('encryption-key')).rejects.toMatchObject({ code: 'BUG' });
  await expect(state.authorityKey('etcd')).rejects.toMatchObject({ code: 'BUG' });
  await expect(state.issue('cp-1', spec())).rejects.toMatchObject({ code: 'BUG' });
});
