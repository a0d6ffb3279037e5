import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { parse, stringify } from 'yaml';
import * as z from 'zod';
import { SlipwayError, messageOf } from '../base/errors.ts';
import { sha256Of } from './digest.ts';
import { codeOf } from './files.ts';
import { formatLock } from './lock-file.ts';
import { lockedArtefactSchema, plainName, sha256 } from './schema.ts';
import { BLOCK, bytesOf, header, padded, tar, type Bytes, type TarEntry } from './tar.ts';
import type { LockedArtefact } from './types.ts';

/** A file in a bundle: the archive of one artefact. */
export interface Member {
  name: string;
  size: number;
  sha256: string;
}

export interface Contents {
  artifacts: readonly LockedArtefact[];
  /** In the order of the file. */
  members: readonly Member[];
  /** sha256 of everything that the bundle says about itself; two bundles with the same digest have the same bytes. */
  digest: string;
}

/** Sorts before every name of an artefact: whoever reads a bundle finds it first. */
const CONTENTS = 'CONTENTS.yaml';
const MODE = 0o644;
/** What a bundle of a thousand artefacts would not reach. */
const CONTENTS_LIMIT = 16 << 20;

const contentsSchema = z.strictObject({
  version: z.literal(1),
  artifacts: z.array(lockedArtefactSchema),
  members: z.array(z.strictObject({ name: plainName, size: z.int().nonnegative(), sha256 })),
});

/**
 * The bytes of a bundle: a tar of `CONTENTS.yaml` and the members, which any tar can read. The contents name every member with its size and
 * sha256 and end with a digest of themselves, so that no byte of the file is beyond doubt.
 */
export function bundleBytes(artifacts: readonly LockedArtefact[], members: readonly (Member & { content: Bytes })[]): Bytes {
  const sorted = [...members].sort((a, b) => (a.name < b.name ? -1 : 1));
  const list = stringify({ members: sorted.map(({ name, size, sha256: digest }) => ({ name, size, sha256: digest })) });
  const text = `${formatLock({ version: 1, artifacts })}${list}`;
  return tar([
    { name: CONTENTS, mode: MODE, content: bytesOf(`${text}digest: ${sha256Of(text)}\n`) },
    ...sorted.map(({ name, content }) => ({ name, mode: MODE, content })),
  ]);
}

/** What a bundle says it has; its members are not read. Throws ARTIFACT_BUNDLE_MISSING, ARTIFACT_BUNDLE_INVALID (usage). */
export async function readContents(path: string): Promise<Contents> {
  return (await readHead(path)).contents;
}

export interface MemberRange extends Member {
  /** Where its first byte is, and the byte after its last. */
  start: number;
  end: number;
}

/** Where a member's bytes are. */
export async function memberRange(path: string, name: string): Promise<MemberRange> {
  const { contents, end } = await readHead(path);
  const found = ranges(contents, end).find((range) => range.name === name);
  if (!found) throw bundleInvalid(path, `it has no ${name}`);
  return found;
}

export interface ReadOptions {
  onBytes?: ((done: number, total: number) => void) | undefined;
  signal?: AbortSignal | undefined;
}

/** Reads every byte of a bundle and compares it with what it must be. Throws as readContents. */
export async function checkEveryByte(path: string, { onBytes, signal }: ReadOptions = {}): Promise<Contents> {
  const { contents, end } = await readHead(path);
  const expected = ranges(contents, end);
  const total = (expected.at(-1)?.paddedEnd ?? end) + 2 * BLOCK;
  const { size } = await stat(path);
  if (size !== total) throw bundleInvalid(path, `it has ${size} bytes and should have ${total}`);
  let done = end;
  const piece = async (from: number, to: number, take: (chunk: Buffer) => void): Promise<void> => {
    if (to === from) return;
    for await (const chunk of createReadStream(path, { start: from, end: to - 1, highWaterMark: 1 << 20, ...(signal ? { signal } : {}) })) {
      take(chunk as Buffer);
      onBytes?.((done += (chunk as Buffer).length), total);
    }
  };
  const exactly = async (from: number, wanted: Buffer, what: string): Promise<void> => {
    const chunks: Buffer[] = [];
    await piece(from, from + wanted.length, (chunk) => chunks.push(chunk));
    if (!Buffer.concat(chunks).equals(wanted)) throw bundleInvalid(path, `${what} is damaged, near byte ${from}`);
  };
  for (const { name, start, end: stop, paddedEnd, entry, sha256: wanted } of expected) {
    await exactly(start - BLOCK, header(entry), `the header of ${name}`);
    const hash = createHash('sha256');
    await piece(start, stop, (chunk) => void hash.update(chunk));
    const got = hash.digest('hex');
    if (got !== wanted) throw bundleInvalid(path, `${name}: expected sha256 ${wanted}, got ${got}`);
    await exactly(stop, Buffer.alloc(paddedEnd - stop), `the space after ${name}`);
  }
  await exactly(total - 2 * BLOCK, Buffer.alloc(2 * BLOCK), 'the end');
  return contents;
}

interface Place extends MemberRange {
  paddedEnd: number;
  entry: TarEntry;
}

/** The layout follows from the contents alone. */
function ranges({ members }: Contents, headEnd: number): Place[] {
  let at = headEnd;
  return members.map((member) => {
    const start = at + BLOCK;
    const end = start + member.size;
    at = start + padded(member.size);
    const entry = { name: member.name, mode: MODE, content: { size: member.size, read: () => bytesOf('').read() } };
    return { ...member, start, end, paddedEnd: at, entry };
  });
}

async function readHead(path: string): Promise<{ contents: Contents; end: number }> {
  const handle = await open(path).catch((error: unknown) => {
    throw unreadable(path, error);
  });
  try {
    const read = async (position: number, length: number): Promise<Buffer> => {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, position);
      return buffer.subarray(0, bytesRead);
    };
    const first = await read(0, BLOCK);
    const size = Number.parseInt(first.toString('latin1', 124, 135), 8);
    if (!Number.isInteger(size) || size > CONTENTS_LIMIT) throw bundleInvalid(path, 'it does not begin as a bundle does');
    const text = await read(BLOCK, padded(size));
    const content = bytesOf(text.subarray(0, size));
    if (!first.equals(header({ name: CONTENTS, mode: MODE, content })) || text.length !== padded(size) || text.subarray(size).some(Boolean))
      throw bundleInvalid(path, 'it does not begin as a bundle does');
    return { contents: parseContents(text.toString('utf8', 0, size), path), end: BLOCK + padded(size) };
  } catch (error) {
    throw codeOf(error) === 'EISDIR' ? unreadable(path, error) : error;
  } finally {
    await handle.close();
  }
}

function parseContents(text: string, path: string): Contents {
  const at = text.lastIndexOf('digest: ');
  const said = text.slice(0, Math.max(at, 0));
  const digest = sha256Of(said);
  if (text.slice(at) !== `digest: ${digest}\n`) throw bundleInvalid(path, `${CONTENTS} is damaged`);
  const { data, error } = contentsSchema.safeParse(parse(said));
  if (data) return { artifacts: data.artifacts, members: data.members, digest };
  const issue = error.issues[0]!;
  throw bundleInvalid(path, `${CONTENTS}: ${issue.path.join('.')}: ${issue.message}; another version of Slipway may have made it`);
}

export function bundleInvalid(path: string, evidence: string): SlipwayError {
  return new SlipwayError(`${path} is not a whole bundle`, {
    code: 'ARTIFACT_BUNDLE_INVALID',
    category: 'usage',
    where: { file: path },
    evidence,
    hint: 'Copy it again, or make it anew with `slipway bundle create`.',
  });
}

function unreadable(path: string, error: unknown): SlipwayError {
  const missing = codeOf(error) === 'ENOENT';
  return new SlipwayError(missing ? `There is no bundle ${path}` : `The bundle ${path} cannot be read: ${messageOf(error)}`, {
    code: 'ARTIFACT_BUNDLE_MISSING',
    category: 'usage',
    where: { file: path },
    hint: 'Copy it there, or make it with `slipway bundle create` on a machine with a network.',
    cause: error,
  });
}
