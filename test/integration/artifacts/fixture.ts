import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Source } from '../../../src/artifacts/source.ts';
import type { Artefact } from '../../../src/artifacts/types.ts';

export const tool: Artefact = { name: 'tool', version: '1.0.0', arch: 'amd64', files: ['tool', 'toolctl'] };

/** A source whose bytes the test decides, and that counts how often it was asked for them. */
export interface TextSource extends Source {
  contents: Record<string, string>;
  fetches: number;
}

export function textSource(contents: Record<string, string>): TextSource {
  return {
    contents,
    fetches: 0,
    identify: async () => ({ source: 'text', recipe: '' }),
    async fetch(wanted, { directory, deliver }) {
      for (const { artefact } of wanted) {
        this.fetches++;
        const place = join(directory, artefact.name);
        await mkdir(place);
        const files: Record<string, string> = {};
        for (const name of artefact.files) {
          files[name] = join(place, name);
          await writeFile(files[name], this.contents[name] ?? name);
        }
        await deliver({ artefact, source: 'text', files });
      }
    },
  };
}

/** A directory that is removed by `remove`. */
export async function scratch(): Promise<{ path: string; remove: () => Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'slipway-artifacts-'));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}
