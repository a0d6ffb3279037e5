import { mkdir, readFile, readdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import ts from 'typescript';
import { packageRoot } from '../../../src/base/package-root.ts';

/** Compiles rooms of src/ to plain JavaScript under `directory`, for child processes that are to be killed. */
export async function compileRooms(rooms: readonly string[], directory: string): Promise<void> {
  await writeFile(join(directory, 'package.json'), '{"type":"module"}');
  await symlink(join(packageRoot(), 'node_modules'), join(directory, 'node_modules'));
  for (const room of rooms) {
    const source = join(packageRoot(), 'src', room);
    for (const file of (await readdir(source, { recursive: true })).filter((name) => name.endsWith('.ts'))) {
      const { outputText } = ts.transpileModule(await readFile(join(source, file), 'utf8'), {
        compilerOptions: {
          target: ts.ScriptTarget.ES2023,
          module: ts.ModuleKind.ESNext,
          rewriteRelativeImportExtensions: true,
          verbatimModuleSyntax: true,
        },
      });
      const target = join(directory, room, file.replace(/\.ts$/, '.js'));
      await mkdir(dirname(target), { recursive: true });
      await writeFile(target, outputText);
    }
  }
}
