import { mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { SlipwayError } from '../../base/errors.ts';
import { sha256Of } from '../digest.ts';
import { parseJson } from '../schema.ts';
import { layoutArchive, type Blob } from '../oci.ts';
import { bytesOf, bytesOfFile, type Bytes } from '../tar.ts';
import type { Architecture } from '../types.ts';
import { download, withRetries } from './download.ts';
import { get, getText, readText, statusError, type RequestOptions } from './http.ts';

export interface PullRequest extends RequestOptions {
  reference: string;
  arch: Architecture;
  /** Empty; receives the blobs. */
  directory: string;
  partial: string;
  /** Rewrites the URLs of the registry, e.g. to a mirror. */
  locate: (url: string) => string;
  onBytes?: ((done: number) => void) | undefined;
}

const descriptorSchema = z.object({
  mediaType: z.string(),
  digest: z.string().regex(/^sha256:[0-9a-f]{64}$/),
  size: z.number().int().min(0),
});
const indexSchema = z.object({
  manifests: z.array(descriptorSchema.extend({ platform: z.object({ os: z.string(), architecture: z.string() }).optional() })),
});
const manifestSchema = z.object({ mediaType: z.string().optional(), config: descriptorSchema, layers: z.array(descriptorSchema) });

const tokenSchema = z.object({ token: z.string().optional(), access_token: z.string().optional() });

const INDEX = ['application/vnd.oci.image.index.v1+json', 'application/vnd.docker.distribution.manifest.list.v2+json'];
const MANIFEST = ['application/vnd.oci.image.manifest.v1+json', 'application/vnd.docker.distribution.manifest.v2+json'];

/**
 * An image for one architecture as an OCI archive, by the distribution API (distribution-spec 1.1). Everything below the tag is checked
 * against its digest; the tag itself is as good as the connection, and pinned by the lock. Throws as `download`.
 */
export async function pull(request: PullRequest): Promise<Bytes> {
  const { host, repository, tag } = parseReference(request.reference);
  const base = `https://${host}/v2/${repository}`;
  const headers: Record<string, string> = { ...request.headers, accept: [...INDEX, ...MANIFEST].join(', ') };

  const top = await manifestText(tag);
  const index = indexSchema.safeParse(top.value).data;
  const digest = index?.manifests.find(({ platform }) => platform?.os === 'linux' && platform.architecture === request.arch)?.digest;
  if (index && !digest) throw invalid(request.reference, `it has no image for linux/${request.arch}`);
  const { text, value } = digest ? await manifestText(digest) : top;
  const parsed = manifestSchema.safeParse(value);
  if (!parsed.success) throw invalid(request.reference, `its manifest is not one: ${parsed.error.issues[0]!.message}`);
  const { config, layers, mediaType = MANIFEST[0]! } = parsed.data;

  await mkdir(request.directory, { recursive: true });
  const blobs: Blob[] = [];
  const total = { before: 0 };
  for (const descriptor of new Map([config, ...layers].map((entry) => [entry.digest, entry])).values()) {
    const path = join(request.directory, descriptor.digest.replace(':', '-'));
    await download({
      ...request,
      headers,
      url: request.locate(`${base}/blobs/${descriptor.digest}`),
      sha256: descriptor.digest.slice('sha256:'.length),
      path,
      onBytes: (done) => request.onBytes?.(total.before + done),
    });
    total.before += descriptor.size;
    blobs.push({ descriptor, bytes: bytesOfFile(path, (await stat(path)).size) });
  }
  const manifest = { descriptor: { mediaType, digest: `sha256:${sha256Of(text)}`, size: Buffer.byteLength(text) }, bytes: bytesOf(text) };
  return layoutArchive(request, manifest, blobs);

  async function manifestText(name: string): Promise<{ text: string; value: unknown }> {
    const url = request.locate(`${base}/manifests/${name}`);
    const text = await withRetries(async () => {
      let reply = await get(url, { ...request, headers });
      if (reply.status === 401) {
        reply.body.resume();
        headers['authorization'] = `Bearer ${await token(reply.headers['www-authenticate'] ?? '', request)}`;
        reply = await get(url, { ...request, headers });
      }
      if (reply.status !== 200) throw statusError(url, reply);
      return readText(new URL(url), reply);
    }, request);
    if (name.startsWith('sha256:') && `sha256:${sha256Of(text)}` !== name) throw invalid(request.reference, `${name} has other bytes`);
    try {
      return { text, value: JSON.parse(text) };
    } catch {
      throw invalid(request.reference, `${url} is not JSON`);
    }
  }
}

/** `HOST/REPOSITORY:TAG`. */
export function parseReference(reference: string): { host: string; repository: string; tag: string } {
  const match = /^([^/]+)\/([^:@]+):([\w.-]+)$/.exec(reference);
  if (!match) throw invalid(reference, 'it is not HOST/REPOSITORY:TAG');
  return { host: match[1]!, repository: match[2]!, tag: match[3]! };
}

/** An anonymous token from where the registry says (distribution-spec, "token" authentication). */
async function token(challenge: string, options: RequestOptions): Promise<string> {
  const parameters = new Map([...challenge.matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [name!, value!]));
  const realm = parameters.get('realm');
  parameters.delete('realm');
  if (!/^Bearer\b/i.test(challenge) || !realm) throw invalid(challenge, 'the registry asks for a login that is not known here');
  const url = new URL(realm);
  for (const [name, value] of parameters) url.searchParams.set(name, value);
  const { environment, signal } = options;
  const answer = parseJson(await getText(url.href, { environment, signal }), tokenSchema);
  const found = answer?.token ?? answer?.access_token;
  if (!found) throw invalid(challenge, `${url.host} gave no token`);
  return found;
}

function invalid(reference: string, why: string): SlipwayError {
  return new SlipwayError(`The image ${reference} cannot be pulled: ${why}`, {
    code: 'ARTIFACT_IMAGE_INVALID',
    category: 'failed',
    hint: 'Check the registry or the mirror, or set spec.artifacts.source to another source.',
  });
}
