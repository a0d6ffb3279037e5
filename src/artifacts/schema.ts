import * as z from 'zod';
import type { Lock, LockedArtefact } from './types.ts';

/** A file or directory name that cannot leave its place. */
export const plainName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, 'a plain name of letters, digits, dots, dashes and underscores');
export const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'a sha256 of 64 hexadecimal digits');

export const lockedArtefactSchema: z.ZodType<LockedArtefact> = z.strictObject({
  name: plainName,
  version: plainName,
  arch: z.enum(['amd64', 'arm64']),
  source: z.string().min(1),
  files: z.record(plainName, sha256).refine((files) => Object.keys(files).length > 0, 'at least one file'),
});

export const lockSchema: z.ZodType<Lock> = z.strictObject({ version: z.literal(1), artifacts: z.array(lockedArtefactSchema) });

/** Undefined when the text is not JSON or not of the schema. */
export function parseJson<T>(text: string, schema: z.ZodType<T>): T | undefined {
  try {
    return schema.safeParse(JSON.parse(text)).data;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
