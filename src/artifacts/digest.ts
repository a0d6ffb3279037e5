import { createHash } from 'node:crypto';
import type { ContentDigest } from './types.ts';

/** The text of an artefact's SHA256SUMS file: `<hex>  <name>\n` per file, sorted by name; `sha256sum -c` reads it. */
export function sumsText(files: Readonly<Record<string, string>>): string {
  return Object.entries(files)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, sha256]) => `${sha256}  ${name}\n`)
    .join('');
}

/** By which an artefact is recognised on a host, whatever archive it came in. */
export function contentDigest(files: Readonly<Record<string, string>>): ContentDigest {
  return sha256Of(sumsText(files));
}

export function sha256Of(bytes: string | Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
