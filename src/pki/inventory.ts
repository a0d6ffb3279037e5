import { createHash } from 'node:crypto';
import { z } from 'zod';
import { SlipwayError, messageOf } from '../base/errors.ts';
import { authorities } from './authorities.ts';
import type { Inventory } from './types.ts';

const sha256Hex = z.string().regex(/^[0-9a-f]{64}$/);
const generation = z.int().min(1);
const time = z.number();

const document = z.object({
  version: z.literal(1),
  cluster: z.string(),
  authorities: z.partialRecord(
    z.enum(authorities as [(typeof authorities)[number]]),
    z.object({ generation, certificateSha256: sha256Hex, keySha256: sha256Hex, notAfter: time }),
  ),
  certificates: z.record(
    z.string(),
    z.object({
      spec: sha256Hex,
      issuedFor: z.record(z.string(), z.string()).optional(),
      generation,
      certificateSha256: sha256Hex,
      keySha256: sha256Hex,
      notAfter: time,
    }),
  ),
  secrets: z.record(z.string(), z.object({ generation, sha256: sha256Hex })),
});

export function sha256(bytes: string | Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Keys sorted, so that equal inventories are equal files. */
export function formatInventory(cluster: string, inventory: Inventory): string {
  return `${JSON.stringify({ version: 1, cluster, ...inventory }, (_, value: unknown) => sorted(value), 2)}\n`;
}

/** Throws STATE_DAMAGED, STATE_TOO_NEW, and STATE_OF_ANOTHER_CLUSTER. */
export function parseInventory(text: string, options: { cluster: string; file: string }): Inventory {
  const where = { file: options.file };
  const value = (() => {
    try {
      return JSON.parse(text) as unknown;
    } catch (cause) {
      throw damaged(messageOf(cause), options.file, cause);
    }
  })();
  const version = typeof value === 'object' && value !== null && 'version' in value ? value.version : undefined;
  if (typeof version === 'number' && version > 1) {
    throw new SlipwayError(`The state directory was written by a newer Slipway (format ${version})`, {
      code: 'STATE_TOO_NEW',
      category: 'refused',
      where,
      hint: 'Use the version of Slipway that wrote it, or a newer one.',
    });
  }
  const result = document.safeParse(value);
  if (!result.success) throw damaged(z.prettifyError(result.error), options.file, result.error);
  if (result.data.cluster !== options.cluster) {
    throw new SlipwayError(`The state directory belongs to the cluster ${result.data.cluster}, not ${options.cluster}`, {
      code: 'STATE_OF_ANOTHER_CLUSTER',
      category: 'refused',
      where,
      hint: 'A cluster cannot be renamed: put the old name back into the cluster file, or move the directory away to start a new cluster.',
    });
  }
  const { authorities: issuers, certificates, secrets } = result.data;
  return { authorities: issuers, certificates, secrets } as Inventory;
}

export function damaged(what: string, file: string, cause?: unknown): SlipwayError {
  return new SlipwayError(`The state directory is damaged: ${what}`, {
    code: 'STATE_DAMAGED',
    category: 'refused',
    where: { file },
    cause,
    hint: 'Restore the whole directory from a copy. Without its keys no certificate of this cluster can be renewed.',
  });
}

function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
