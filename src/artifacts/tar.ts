import { createReadStream } from 'node:fs';
import { bug } from '../base/errors.ts';

/** Bytes of known length that can be read more than once. */
export interface Bytes {
  size: number;
  read: () => AsyncIterable<Uint8Array>;
}

/** A name that ends in `/` is a directory. */
export interface TarEntry {
  name: string;
  mode: number;
  content?: Bytes;
}

/** 1980-01-01 UTC: the same in every archive, and not so old that GNU tar warns of it. */
const MODIFIED = 315_532_800;
/** Headers are one block, and content is filled up to the next with zeros. */
export const BLOCK = 512;

export function bytesOf(content: string | Uint8Array): Bytes {
  const buffer = Buffer.from(content);
  return {
    size: buffer.length,
    async *read() {
      yield buffer;
    },
  };
}

/** Fails while reading when the file is no longer `size` bytes long. */
export function bytesOfFile(path: string, size: number): Bytes {
  return { size, read: () => createReadStream(path, { highWaterMark: 1 << 20 }) };
}

/** The same entries always give the same bytes: root owns everything, one fixed time, sorted by name (so a directory precedes its content). */
export function tar(entries: readonly TarEntry[]): Bytes {
  const sorted = [...entries].sort((a, b) => (a.name < b.name ? -1 : 1));
  const size = sorted.reduce((sum, { content }) => sum + BLOCK + padded(content?.size ?? 0), 0) + 2 * BLOCK;
  return { size, read: () => write(sorted) };
}

async function* write(entries: readonly TarEntry[]): AsyncGenerator<Uint8Array> {
  for (const entry of entries) {
    yield header(entry);
    if (!entry.content) continue;
    const { size, read } = entry.content;
    let seen = 0;
    for await (const chunk of read()) {
      seen += chunk.length;
      yield chunk;
    }
    if (seen !== size) throw bug(`${entry.name} was announced with ${size} bytes and has ${seen}`);
    if (padded(size) > size) yield Buffer.alloc(padded(size) - size);
  }
  yield Buffer.alloc(2 * BLOCK);
}

/** The blocks that this many bytes of content take. */
export function padded(size: number): number {
  return Math.ceil(size / BLOCK) * BLOCK;
}

/** The block before an entry's content. POSIX ustar, IEEE 1003.1 "pax Interchange Format". Sizes end at 8 GiB and names at 100 bytes, which nothing here comes near. */
export function header({ name, mode, content }: TarEntry): Buffer {
  const size = content?.size ?? 0;
  if (Buffer.byteLength(name) > 100 || size >= 8 ** 11) throw bug(`${name} does not fit into a tar header`);
  const block = Buffer.alloc(BLOCK);
  const octal = (value: number, offset: number, length: number): number => block.write(value.toString(8).padStart(length - 1, '0'), offset);
  block.write(name, 0);
  octal(mode, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(size, 124, 12);
  octal(MODIFIED, 136, 12);
  block.write('        ', 148);
  block.write(name.endsWith('/') ? '5' : '0', 156);
  block.write('ustar\x0000', 257, 'latin1');
  block.write('root', 265);
  block.write('root', 297);
  octal(
    block.reduce((sum, byte) => sum + byte, 0),
    148,
    7,
  );
  block[155] = 0x20;
  return block;
}
