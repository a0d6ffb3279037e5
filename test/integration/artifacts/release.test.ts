import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { createServer as createHttpServer, request as httpRequest } from 'node:http';
import https from 'node:https';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { artefactsFor } from '../../../src/artifacts/catalogue.ts';
import { sha256Of } from '../../../src/artifacts/digest.ts';
import { getText } from '../../../src/artifacts/release/http.ts';
import { publishedAt } from '../../../src/artifacts/release/layout.ts';
import { releaseSource } from '../../../src/artifacts/release/source.ts';
import { autoSource, sourceFor } from '../../../src/artifacts/sources.ts';
import { createStore, type Store } from '../../../src/artifacts/store.ts';
import type { ArtifactProgress } from '../../../src/artifacts/source.ts';
import { closeServer, releaseServer, type ReleaseServer } from './release-server.ts';
import { scratch, textSource, tool } from './fixture.ts';

let directory: string;
let remove: () => Promise<void>;
let server: ReleaseServer;

beforeEach(async () => {
  ({ path: directory, remove } = await scratch());
  server = await releaseServer({});
});
afterEach(async () => {
  await server.close();
  await remove();
});

const amd64 = artefactsFor({ kubernetesVersion: '1.36.3', arch: 'amd64' });
const named = (name: string) => amd64.find((artefact) => artefact.name === name)!;
const kubelet = named('kubelet');
const kubeletPath = 'dl.k8s.io/release/v1.36.3/bin/linux/amd64/kubelet';

function storeOf(name = 'cache'): Store {
  return createStore({
    cacheDirectory: join(directory, name),
    source: releaseSource({ mirror: server.url, environment: {}, pausesMs: [1, 1] }),
  });
}

/** Serves a download of the release sites, with its checksum in the form that the site has. */
async function publish(name: string): Promise<Record<string, Buffer>> {
  const artefact = named(name);
  const place = publishedAt(artefact);
  if (place.kind !== 'download') throw new Error('not a download');
  const files = Object.fromEntries(artefact.files.map((file) => [file, randomBytes(200_000)]));
  let bytes = files[artefact.files[0]!]!;
  if (place.members) {
    const root = join(directory, `release-${name}`);
    for (const [file, member] of Object.entries(place.members)) {
      await mkdir(join(root, member, '..'), { recursive: true });
      await writeFile(join(root, member), files[file]!);
      await chmod(join(root, member), 0o755);
    }
    await execa('tar', ['-czf', `${root}.tgz`, '-C', root, '.']);
    bytes = await readFile(`${root}.tgz`);
  }
  const asset = place.url.slice(place.url.lastIndexOf('/') + 1);
  const texts = {
    bare: sha256Of(bytes),
    sums: `${'0'.repeat(64)}  other\n${sha256Of(bytes)}  ${asset}\n`,
    github: JSON.stringify({ assets: [{ name: asset, digest: `sha256:${sha256Of(bytes)}` }] }),
  };
  server.files.set(place.url.replace('https://', ''), bytes);
  server.files.set(place.checksum.url.replace('https://', ''), Buffer.from(texts[place.checksum.form]));
  return files;
}

/** Waits until a part of a download is on the disk. */
async function somethingKept(): Promise<void> {
  const partial = join(directory, 'cache', 'partial');
  for (;;) {
    const names = await readdir(partial).catch(() => []);
    const sizes = await Promise.all(names.map(async (name) => (name.includes('.') ? 0 : (await stat(join(partial, name))).size)));
    if (sizes.some((size) => size > 0)) return;
    await nextTurn();
  }
}

describe('releases', () => {
  test('are downloaded, checked and taken apart, each as its site publishes it', async () => {
    const names = amd64.map(({ name }) => name).filter((name) => !name.startsWith('image-'));
    const published = new Map<string, Record<string, Buffer>>();
    for (const name of names) published.set(name, await publish(name));
    const events: ArtifactProgress[] = [];
    const locked = await storeOf().resolve(names.map(named), { onProgress: (event) => events.push(event) });
    for (const { name, files } of locked)
      expect(files).toEqual(Object.fromEntries(Object.entries(published.get(name)!).map(([file, bytes]) => [file, sha256Of(bytes)])));
    expect(locked.find(({ name }) => name === 'kubelet')!.source).toBe(`${server.url}/${kubeletPath}`);
    for (const state of ['started', 'finished']) expect(events.filter((event) => event.state === state)).toHaveLength(names.length);
    expect(events.some(({ bytes }) => bytes && bytes.done === bytes.total)).toBe(true);
  });

  test('go on where the connection was cut', async () => {
    const files = await publish('kubelet');
    server.cut.set(kubeletPath, somethingKept);
    const [locked] = await storeOf().resolve([kubelet]);
    expect(locked!.files['kubelet']).toBe(sha256Of(files['kubelet']!));
    const ranges = server.seen.filter(({ path }) => path === kubeletPath).map(({ range }) => range);
    expect(ranges).toEqual([undefined, expect.stringMatching(/^bytes=[1-9]\d*-$/)]);
  });

  test('go on where an interrupted program stopped', async () => {
    const files = await publish('kubelet');
    const controller = new AbortController();
    const onProgress = ({ bytes }: ArtifactProgress): void => void (bytes && controller.abort());
    await expect(storeOf().resolve([kubelet], { signal: controller.signal, onProgress })).rejects.toMatchObject({ code: 'ABORTED' });
    const [locked] = await storeOf().resolve([kubelet]);
    expect(locked!.files['kubelet']).toBe(sha256Of(files['kubelet']!));
    expect(await readdir(join(directory, 'cache', 'partial'))).toEqual([]);
  });

  test('start again when the file was replaced meanwhile', async () => {
    const files = await publish('kubelet');
    const right = server.files.get(kubeletPath)!;
    server.files.set(kubeletPath, randomBytes(300_000));
    server.cut.set(kubeletPath, somethingKept);
    server.intercept = (request) => {
      if (request.headers.range) server.files.set(kubeletPath, right);
      return false;
    };
    const [locked] = await storeOf().resolve([kubelet]);
    expect(locked!.files['kubelet']).toBe(sha256Of(files['kubelet']!));
  });

  test('with other bytes than the published checksum are refused and not kept', async () => {
    await publish('kubelet');
    server.files.set(kubeletPath, Buffer.from('not a kubelet'));
    await expect(storeOf().resolve([kubelet])).rejects.toMatchObject({
      code: 'ARTIFACT_CHECKSUM_MISMATCH',
      category: 'failed',
      evidence: expect.stringContaining(sha256Of('not a kubelet')),
    });
    expect(await readdir(join(directory, 'cache', 'partial'))).toEqual([]);
  });

  test.each([
    [404, 'ARTIFACT_NOT_FOUND', 'failed', 1],
    [403, 'ARTIFACT_NOT_FOUND', 'failed', 1],
    [503, 'ARTIFACT_SOURCE_UNREACHABLE', 'unreachable', 3],
  ])('that answer %i end in %s (%s) after %i attempts', async (status, code, category, attempts) => {
    server.intercept = (_, response) => Boolean(response.writeHead(status).end());
    await expect(storeOf().resolve([kubelet])).rejects.toMatchObject({ code, category });
    expect(server.seen).toHaveLength(attempts);
  });

  test('behind a page that a proxy made up are told from a checksum', async () => {
    server.files.set(`${kubeletPath}.sha256`, Buffer.from('<html>Please sign in</html>'));
    await expect(storeOf().resolve([kubelet])).rejects.toMatchObject({
      code: 'ARTIFACT_DOWNLOAD_INVALID',
      evidence: expect.stringContaining('Please sign in'),
    });
  });

  test('of a mirror with a password are asked for with it, and nothing shows it', async () => {
    await publish('kubelet');
    const secret = server.url.replace('//', '//me:hunter2@');
    const store = (mirror: string) =>
      createStore({ cacheDirectory: join(directory, 'cache'), source: releaseSource({ mirror, environment: {}, pausesMs: [] }) });
    const [locked] = await store(secret).resolve([kubelet]);
    expect(locked!.source).toBe(`${server.url}/${kubeletPath}`);
    expect(new Set(server.seen.map(({ authorization }) => authorization))).toEqual(
      new Set([`Basic ${Buffer.from('me:hunter2').toString('base64')}`]),
    );
    const error: unknown = await store(secret)
      .resolve([named('runc')])
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'ARTIFACT_NOT_FOUND' });
    expect(inspect(error, { depth: 9 })).not.toContain('hunter2');
  });

  test('stop together when one of them fails, and the error is that one’s', async () => {
    await publish('kubectl');
    await expect(storeOf().resolve([named('kubectl'), kubelet])).rejects.toMatchObject({ code: 'ARTIFACT_NOT_FOUND' });
  });
});

describe('an image of a registry', () => {
  const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
  const describeBlob = (mediaType: string, bytes: Buffer) => ({ mediaType, digest: `sha256:${sha256Of(bytes)}`, size: bytes.length });
  const layer = randomBytes(50_000);
  const config = json({ architecture: 'amd64', os: 'linux' });
  const manifest = json({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: describeBlob('application/vnd.oci.image.config.v1+json', config),
    layers: [describeBlob('application/vnd.oci.image.layer.v1.tar+gzip', layer)],
  });
  const index = json({
    schemaVersion: 2,
    manifests: [
      {
        ...describeBlob('application/vnd.oci.image.manifest.v1+json', Buffer.from('{}')),
        platform: { os: 'linux', architecture: 'arm64' },
      },
      { ...describeBlob('application/vnd.oci.image.manifest.v1+json', manifest), platform: { os: 'linux', architecture: 'amd64' } },
    ],
  });
  const base = 'registry.k8s.io/v2/coredns/coredns';
  const coredns = named('image-coredns');

  beforeEach(() => {
    server.files.set(`${base}/manifests/v1.15.0`, index);
    for (const blob of [manifest, config, layer])
      server.files.set(`${base}/${blob === manifest ? 'manifests' : 'blobs'}/sha256:${sha256Of(blob)}`, blob);
  });

  test('is pulled for the architecture asked for, with a token where one is needed, into an archive with its digests', async () => {
    server.files.set('token', json({ token: 'let-me-in' }));
    server.intercept = (request, response) => {
      if (request.url!.startsWith('/token') || request.headers.authorization === 'Bearer let-me-in') return false;
      response
        .writeHead(401, {
          'www-authenticate': `Bearer realm="${server.url}/token",service="registry",scope="repository:coredns/coredns:pull"`,
        })
        .end();
      return true;
    };
    const store = storeOf();
    const [locked] = await store.resolve([coredns]);
    expect(locked!.source).toBe(`${server.url} registry.k8s.io/coredns/coredns:v1.15.0`);

    const archive = await store.path(locked!, 'image-coredns.tar');
    // A layer is random bytes, the last of which may be a line's end.
    const member = async (name: string) =>
      (await execa('tar', ['-xOf', archive, name], { encoding: 'buffer', stripFinalNewline: false })).stdout;
    const found = JSON.parse(Buffer.from(await member('index.json')).toString());
    expect(found.manifests).toEqual([
      {
        ...describeBlob('application/vnd.oci.image.manifest.v1+json', manifest),
        platform: { architecture: 'amd64', os: 'linux' },
        annotations: {
          'io.containerd.image.name': 'registry.k8s.io/coredns/coredns:v1.15.0',
          'org.opencontainers.image.ref.name': 'v1.15.0',
        },
      },
    ]);
    for (const blob of [manifest, config, layer]) expect(Buffer.from(await member(`blobs/sha256/${sha256Of(blob)}`))).toEqual(blob);
  });

  test('is refused when a manifest or a layer is not what its digest says', async () => {
    server.files.set(`${base}/manifests/sha256:${sha256Of(manifest)}`, Buffer.from('{}'));
    await expect(storeOf().resolve([coredns])).rejects.toMatchObject({ code: 'ARTIFACT_IMAGE_INVALID' });
    server.files.set(`${base}/manifests/sha256:${sha256Of(manifest)}`, manifest);
    server.files.set(`${base}/blobs/sha256:${sha256Of(layer)}`, randomBytes(50_000));
    await expect(storeOf().resolve([coredns])).rejects.toMatchObject({ code: 'ARTIFACT_CHECKSUM_MISMATCH' });
  });

  test('is refused when the registry has none for the architecture', async () => {
    const arch = 'arm64' as const;
    server.files.set(`${base}/manifests/v1.15.0`, json({ schemaVersion: 2, manifests: [JSON.parse(index.toString()).manifests[1]] }));
    await expect(storeOf().resolve([{ ...coredns, arch }])).rejects.toMatchObject({
      code: 'ARTIFACT_IMAGE_INVALID',
      message: expect.stringContaining('linux/arm64'),
    });
  });
});

describe('a proxy from the environment', () => {
  test('carries plain requests, with its credentials', async () => {
    server.files.set('file', Buffer.from('content'));
    const asked: unknown[] = [];
    const proxy = createHttpServer((request, response) => {
      asked.push([request.url, request.headers['proxy-authorization']]);
      httpRequest(request.url!.replace('mirror.example.com', new URL(server.url).host), (reply) => reply.pipe(response)).end();
    });
    await new Promise<void>((done) => proxy.listen(0, '127.0.0.1', done));
    const environment = { http_proxy: `http://me:p%40ss@127.0.0.1:${(proxy.address() as AddressInfo).port}` };
    expect(await getText('http://mirror.example.com/file', { environment })).toBe('content');
    expect(asked).toEqual([['http://mirror.example.com/file', `Basic ${Buffer.from('me:p@ss').toString('base64')}`]]);
    await closeServer(proxy);
  });

  test('tunnels encrypted requests, and the certificate is still the server’s own', async () => {
    const [key, cert] = [join(directory, 'key'), join(directory, 'cert')];
    await execa('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1', '-subj', '/CN=dl.example.com', '-addext', 'subjectAltName=DNS:dl.example.com', '-keyout', key, '-out', cert]); // prettier-ignore
    const secure = https.createServer({ key: await readFile(key), cert: await readFile(cert) }, (_, response) => response.end('encrypted'));
    await new Promise<void>((done) => secure.listen(0, '127.0.0.1', done));
    const asked: unknown[] = [];
    const open: Socket[] = [];
    const proxy = createHttpServer().on('connect', (request, socket: Socket) => {
      asked.push(request.url);
      const onward = connect((secure.address() as AddressInfo).port, '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
        socket.pipe(onward).pipe(socket);
      });
      open.push(socket, onward);
    });
    await new Promise<void>((done) => proxy.listen(0, '127.0.0.1', done));
    const environment = { HTTPS_PROXY: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}` };
    try {
      await expect(getText('https://dl.example.com/file', { environment })).rejects.toMatchObject({
        code: 'ARTIFACT_SOURCE_UNREACHABLE',
        message: expect.stringContaining('self-signed certificate'),
      });
      https.globalAgent.options.ca = await readFile(cert);
      expect(await getText('https://dl.example.com/file', { environment })).toBe('encrypted');
      expect(asked).toEqual(['dl.example.com:443', 'dl.example.com:443']);
    } finally {
      delete https.globalAgent.options.ca;
      open.forEach((socket) => socket.destroy());
      await closeServer(proxy);
      await closeServer(secure);
    }
  });
});

describe('an artefact with a source of its own', () => {
  test('comes from there, and all others do not', async () => {
    await publish('kubelet');
    await publish('runc');
    const other = await releaseServer(Object.fromEntries(server.files));
    try {
      const source = sourceFor({ source: { mirror: server.url }, overrides: { runc: { mirror: other.url } } }, {});
      const locked = await createStore({ cacheDirectory: join(directory, 'cache'), source }).resolve([kubelet, named('runc')]);
      const origins = Object.fromEntries(locked.map((entry) => [entry.name, new URL(entry.source).origin]));
      expect(origins).toEqual({ kubelet: server.url, runc: other.url });
      expect(server.seen.filter(({ path }) => path.includes('runc'))).toEqual([]);
      expect(other.seen.filter(({ path }) => path.includes('kubelet'))).toEqual([]);
    } finally {
      await other.close();
    }
  });
});

describe('the automatic source', () => {
  const at = (reachable: boolean, lockPath?: string) => {
    const [release, go] = [textSource({ tool: 'released' }), textSource({ tool: 'built' })];
    const named = {
      release: { ...release, identify: async () => ({ source: 'https://dl', recipe: '' }) },
      go: { ...go, identify: async () => ({ source: 'go:tool', recipe: '' }) },
    };
    const source = autoSource({ release: bound(named.release), go: bound(named.go), reachable: async () => reachable });
    return createStore({ cacheDirectory: join(directory, `auto-${reachable}`), source, lockPath });
  };
  /** What a text source delivers under the name that it goes by. */
  function bound(source: ReturnType<typeof textSource>) {
    const fetch = source.fetch;
    source.fetch = (wanted, options) =>
      fetch.call(source, wanted, {
        ...options,
        deliver: async (fetched) => options.deliver({ ...fetched, source: (await source.identify(wanted[0]!)).source }),
      });
    return source;
  }

  test('takes releases where they can be reached, and builds where not', async () => {
    const [released] = await at(true).resolve([tool]);
    expect(released).toMatchObject({ source: 'https://dl', files: { tool: sha256Of('released') } });
    const [built] = await at(false).resolve([tool]);
    expect(built).toMatchObject({ source: 'go:tool', files: { tool: sha256Of('built') } });
  });

  test('stays with what the lock was made from', async () => {
    const lockPath = join(directory, 'cluster.lock');
    const [built] = await at(false, lockPath).resolve([tool]);
    expect(await at(true, lockPath).resolve([tool])).toEqual([built]);
  });
});
