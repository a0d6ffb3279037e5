import { groupBy } from '../base/group.ts';
import { allFields, type FieldHelp } from './explain.ts';
import { SCHEMA_URL } from './schema.ts';
import { fileShape } from './shape.ts';

/** The text of schema/v1/cluster.json: JSON Schema, draft 2020-12, for editors. */
export function jsonSchemaText(): string {
  const { $schema, ...shape } = fileShape();
  return `${JSON.stringify({ $schema, $id: SCHEMA_URL, title: 'Slipway cluster file, version 1', ...shape }, null, 2)}\n`;
}

/** The tables of docs/cluster-file.md, one for each section of spec. */
export function fieldTables(): string {
  // A host's ssh section has the fields of spec.ssh.
  const shown = allFields().filter(({ path }) => path !== 'spec' && !path.startsWith('spec.hosts[].ssh.'));
  const sections = groupBy(shown, ({ path }) => /^spec\.\w+/.exec(path)?.[0] ?? 'The file itself');
  return [...sections].map(([title, fields]) => section(title, fields)).join('\n');
}

function section(title: string, fields: readonly FieldHelp[]): string {
  const own = fields.find((field) => field.path === title);
  const rows = fields.filter((field) => field !== own || field.fields.length === 0).map(row);
  return [
    `### ${title}`,
    '',
    ...(own === undefined ? [] : [own.description, '']),
    '| Field | Type | Default | Meaning |',
    '| --- | --- | --- | --- |',
    ...rows,
    '',
  ].join('\n');
}

function row(field: FieldHelp): string {
  const fallback = field.default === undefined ? (field.required ? 'required' : '') : `\`${field.default}\``;
  return `| \`${field.path}\` | ${cell(field.type)} | ${cell(fallback)} | ${cell(field.description)} |`;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', '&lt;');
}
