import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { templatesDirectory } from '../base/package-root.ts';
import { createRenderer, type Render } from '../phases/templates.ts';

/** Reads every template of the package; they are few and small. */
export function loadTemplates(directory = templatesDirectory()): Render {
  const texts: Record<string, string> = {};
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.name.endsWith('.hbs')) continue;
    const path = join(entry.parentPath, entry.name);
    texts[relative(directory, path).split(sep).join('/')] = readFileSync(path, 'utf8');
  }
  return createRenderer(texts);
}
