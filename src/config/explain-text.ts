import type { FieldHelp } from './explain.ts';

/** Field help as plain lines for a terminal of the given width (characters). */
export function explainText(help: FieldHelp, width = 80): string {
  const lines = [help.path === '' ? 'The cluster file' : help.path, ''];
  lines.push(...wrap(help.description, width).map((line) => `  ${line}`));
  if (help.fields.length === 0 || help.type !== 'mapping') lines.push(`  Type: ${help.type}`);
  if (help.required) lines.push('  Required');
  if (help.default !== undefined) lines.push(`  Default: ${help.default}`);
  if (help.examples.length > 0) lines.push(`  For instance: ${help.examples.join(', ')}`);
  if (help.fields.length > 0) {
    lines.push('', 'Fields:');
    for (const field of help.fields) {
      const about = [
        field.type,
        ...(field.required ? ['required'] : []),
        ...(field.default === undefined ? [] : [`default ${field.default}`]),
      ].join(', ');
      lines.push(`  ${field.path.slice(help.path === '' ? 0 : help.path.length).replace(/^(\[\])?\./, '')}  (${about})`);
      lines.push(...wrap(field.description, width - 6).map((line) => `      ${line}`));
    }
  }
  return `${lines.join('\n')}\n`;
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}
