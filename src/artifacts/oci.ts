import { createHash } from 'node:crypto';
import { sha256Of } from './digest.ts';
import { bytesOf, tar, type Bytes, type TarEntry } from './tar.ts';
import type { Architecture } from './types.ts';

export interface Image {
  /** As manifests name it, e.g. `registry.k8s.io/pause:3.10.2`. */
  reference: string;
  arch: Architecture;
  /** Numeric `uid:gid`, so that runAsNonRoot can see that it is not root. */
  user?: string | undefined;
  entrypoint: readonly string[];
  cmd?: readonly string[] | undefined;
  /** `53/udp` and the like. */
  exposedPorts?: readonly string[] | undefined;
  labels?: Readonly<Record<string, string>> | undefined;
  /** The root file system; names without a leading slash. */
  root: readonly TarEntry[];
}

export interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
}

/** A blob of an OCI layout. */
export interface Blob {
  descriptor: Descriptor;
  bytes: Bytes;
}

/**
 * An image of one layer as an OCI archive (image-spec 1.1, image-layout.md) that `ctr images import` takes. The layer is not
 * compressed, because the archive travels compressed anyway. The same image always gives the same bytes.
 */
export async function ociArchive(image: Image): Promise<Bytes> {
  const root = tar(image.root);
  const layer = { descriptor: await describe('application/vnd.oci.image.layer.v1.tar', root), bytes: root };
  const config = document('application/vnd.oci.image.config.v1+json', {
    created: '1980-01-01T00:00:00Z',
    architecture: image.arch,
    os: 'linux',
    config: {
      ...(image.user ? { User: image.user } : {}),
      ...(image.exposedPorts ? { ExposedPorts: Object.fromEntries(image.exposedPorts.map((port) => [port, {}])) } : {}),
      Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
      Entrypoint: image.entrypoint,
      ...(image.cmd ? { Cmd: image.cmd } : {}),
      WorkingDir: '/',
      ...(image.labels ? { Labels: image.labels } : {}),
    },
    rootfs: { type: 'layers', diff_ids: [layer.descriptor.digest] },
    history: [{ created: '1980-01-01T00:00:00Z', created_by: 'slipway' }],
  });
  const manifest = document('application/vnd.oci.image.manifest.v1+json', {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: config.descriptor,
    layers: [layer.descriptor],
  });
  return layoutArchive(image, manifest, [config, layer]);
}

/** An OCI layout of one manifest and the blobs it points to, under the name that the runtime shall know it by. */
export function layoutArchive(image: Pick<Image, 'reference' | 'arch'>, manifest: Blob, blobs: readonly Blob[]): Bytes {
  const index = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: [
      {
        ...manifest.descriptor,
        platform: { architecture: image.arch, os: 'linux' },
        annotations: {
          'io.containerd.image.name': image.reference,
          'org.opencontainers.image.ref.name': image.reference.slice(image.reference.lastIndexOf(':') + 1),
        },
      },
    ],
  };
  const unique = new Map([manifest, ...blobs].map(({ descriptor, bytes }) => [descriptor.digest, bytes]));
  return tar([
    { name: 'oci-layout', mode: 0o644, content: bytesOf('{"imageLayoutVersion":"1.0.0"}') },
    { name: 'index.json', mode: 0o644, content: bytesOf(JSON.stringify(index)) },
    { name: 'blobs/', mode: 0o755 },
    { name: 'blobs/sha256/', mode: 0o755 },
    ...[...unique].map(([digest, content]) => ({ name: `blobs/${digest.replace(':', '/')}`, mode: 0o644, content })),
  ]);
}

function document(mediaType: string, value: unknown): Blob {
  const text = JSON.stringify(value);
  return { descriptor: { mediaType, digest: `sha256:${sha256Of(text)}`, size: Buffer.byteLength(text) }, bytes: bytesOf(text) };
}

async function describe(mediaType: string, bytes: Bytes): Promise<Descriptor> {
  const hash = createHash('sha256');
  for await (const chunk of bytes.read()) hash.update(chunk);
  return { mediaType, digest: `sha256:${hash.digest('hex')}`, size: bytes.size };
}
