import { describe, expect, test } from '@jest/globals';
import { sha256Of } from '../../../src/artifacts/digest.ts';
import { ociArchive, type Image } from '../../../src/artifacts/oci.ts';
import { bytesOf, tar, type Bytes } from '../../../src/artifacts/tar.ts';

async function read(bytes: Bytes): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of bytes.read()) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Name to content, by the header fields of POSIX ustar. */
function untar(buffer: Buffer): Map<string, Buffer> {
  const files = new Map<string, Buffer>();
  for (let at = 0; buffer[at] !== 0;) {
    const size = parseInt(buffer.toString('latin1', at + 124, at + 135), 8);
    files.set(buffer.toString('latin1', at, buffer.indexOf(0, at)), buffer.subarray(at + 512, at + 512 + size));
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return files;
}

describe('a tar', () => {
  const entries = [
    { name: 'b', mode: 0o755, content: bytesOf('two') },
    { name: 'a/', mode: 0o755 },
    { name: 'a/c', mode: 0o644, content: bytesOf('x'.repeat(512)) },
  ];

  test('has the same bytes whatever the order of its entries, and as many as announced', async () => {
    const one = tar(entries);
    const bytes = await read(one);
    expect(bytes.length).toBe(one.size);
    expect(await read(tar([...entries].reverse()))).toEqual(bytes);
    expect([...untar(bytes).keys()]).toEqual(['a/', 'a/c', 'b']);
  });

  test('refuses content that is not as long as announced', async () => {
    const short = tar([{ name: 'f', mode: 0o644, content: { ...bytesOf('abc'), size: 5 } }]);
    await expect(read(short)).rejects.toThrow('f was announced with 5 bytes and has 3');
  });

  test('refuses a name that its header cannot hold', async () => {
    await expect(read(tar([{ name: 'n'.repeat(101), mode: 0o644 }]))).rejects.toThrow('does not fit');
  });
});

describe('an image archive', () => {
  const image: Image = {
    reference: 'registry.k8s.io/pause:3.10.2',
    arch: 'arm64',
    user: '65535:65535',
    entrypoint: ['/pause'],
    root: [{ name: 'pause', mode: 0o755, content: bytesOf('binary') }],
  };

  test('is a layout whose blobs have their digests and lead from the index to the layer', async () => {
    const files = untar(await read(await ociArchive(image)));
    const blob = (digest: string): Buffer => files.get(`blobs/${digest.replace(':', '/')}`)!;
    for (const [name, content] of files) if (/^blobs\/sha256\/.+/.test(name)) expect(`blobs/sha256/${sha256Of(content)}`).toBe(name);

    const index = JSON.parse(files.get('index.json')!.toString());
    expect(index.manifests[0].annotations).toEqual({
      'io.containerd.image.name': 'registry.k8s.io/pause:3.10.2',
      'org.opencontainers.image.ref.name': '3.10.2',
    });
    const manifest = JSON.parse(blob(index.manifests[0].digest).toString());
    const config = JSON.parse(blob(manifest.config.digest).toString());
    expect(config).toMatchObject({ architecture: 'arm64', os: 'linux', config: { User: '65535:65535', Entrypoint: ['/pause'] } });
    expect(config.rootfs.diff_ids).toEqual([manifest.layers[0].digest]);
    expect(untar(blob(manifest.layers[0].digest)).get('pause')!.toString()).toBe('binary');
  });

  test('is the same for the same image and another for other bytes', async () => {
    const digest = async (of: Image): Promise<string> => sha256Of(await read(await ociArchive(of)));
    const other = { ...image, root: [{ name: 'pause', mode: 0o755, content: bytesOf('another') }] };
    expect(await digest(image)).toBe(await digest(structuredCloneOf(image)));
    expect(await digest(other)).not.toBe(await digest(image));
  });
});

function structuredCloneOf(image: Image): Image {
  return { ...image, root: image.root.map((entry) => ({ ...entry })) };
}
