import { SlipwayError } from '../base/errors.ts';
import { type JsonSchema, alternatives, fileShape } from './shape.ts';
import { didYouMean } from './suggest.ts';

/** What `slipway explain` says about one field. */
export interface FieldHelp {
  /** As in the file, with `[]` for every entry of a list and `NAME` for a key of one's own: `spec.hosts[].labels`. */
  path: string;
  type: string;
  /** As YAML would write it; undefined when there is none or the description says it. */
  default: string | undefined;
  required: boolean;
  description: string;
  examples: readonly string[];
  fields: readonly FieldHelp[];
}

/** Help for a field such as `spec.network.flannel`; `spec.` and list indexes may be left out, the empty path is the whole file. Throws SlipwayError FIELD_UNKNOWN (usage). */
export function explainField(path: string): FieldHelp {
  const parts = path
    .replaceAll(/\[\d*\]/g, '.[]')
    .split('.')
    .filter((part) => part !== '' && part !== '[]');
  const found = parts[0] === 'spec' ? undefined : descend(['spec', ...parts]);
  const direct = descend(parts) ?? found;
  if (direct !== undefined) return direct;
  throw new SlipwayError(`The cluster file has no field ${path}`, { code: 'FIELD_UNKNOWN', category: 'usage', hint: hintFor(parts) });
}

/** Every field of the file, outer ones before what is in them. */
export function allFields(): readonly FieldHelp[] {
  const flatten = (help: FieldHelp): FieldHelp[] => [help, ...help.fields.flatMap(flatten)];
  return flatten(describe(fileShape(), '', true)).filter((help) => help.path !== '');
}

function descend(parts: readonly string[]): FieldHelp | undefined {
  return parts.reduce<FieldHelp | undefined>(
    (help, part) => help?.fields.find((field) => lastName(field.path) === part || lastName(field.path) === 'NAME'),
    describe(fileShape(), '', true),
  );
}

function lastName(path: string): string {
  return path.replaceAll('[]', '').split('.').at(-1)!;
}

function hintFor(parts: readonly string[]): string {
  const last = parts.at(-1) ?? '';
  const everywhere = allFields();
  const exact = everywhere.filter((field) => lastName(field.path).toLowerCase() === last.toLowerCase());
  if (exact.length > 0) return `Did you mean ${exact.map((field) => field.path).join(' or ')}?`;
  const guess = didYouMean(last, [...new Set(everywhere.map((field) => lastName(field.path)))]);
  if (guess === undefined) return 'slipway explain spec lists the fields.';
  return `Did you mean ${everywhere
    .filter((field) => lastName(field.path) === guess)
    .map((field) => field.path)
    .join(' or ')}?`;
}

function describe(shape: JsonSchema, path: string, required: boolean): FieldHelp {
  const shapes = alternatives(shape);
  return {
    path,
    type: [...new Set(shapes.map(typeOf))].join(' | '),
    default: defaultOf(shape),
    required,
    description: shape.description ?? '',
    examples: shapes.flatMap((one) => (one.examples ?? []).map(String)),
    fields: shapes.flatMap((one) => fieldsOf(one, path)),
  };
}

function fieldsOf(shape: JsonSchema, path: string): FieldHelp[] {
  const prefix = path === '' ? '' : `${path}.`;
  const own = Object.entries(shape.properties ?? {}).map(([name, property]) =>
    describe(property, `${prefix}${name}`, shape.required?.includes(name) ?? false),
  );
  const any = typeof shape.additionalProperties === 'object' ? [describe(shape.additionalProperties, `${prefix}NAME`, false)] : [];
  const entries = shape.items === undefined ? [] : alternatives(shape.items).flatMap((one) => fieldsOf(one, `${path}[]`));
  return [...own, ...any, ...entries];
}

function typeOf(shape: JsonSchema): string {
  if (shape.const !== undefined) return plainText(shape.const);
  if (shape.enum !== undefined) return shape.enum.map(String).join(' | ');
  if (shape.type === 'array')
    return `list of ${shape.items === undefined ? 'anything' : [...new Set(alternatives(shape.items).map(typeOf))].join(' | ')}`;
  if (shape.type === 'object') return 'mapping';
  if (shape.type === 'integer' && shape.minimum !== undefined && shape.maximum !== undefined) return `${shape.minimum}..${shape.maximum}`;
  const types = Array.isArray(shape.type) ? shape.type : [shape.type ?? ''];
  return types
    .map((type) => ({ string: 'text', integer: 'whole number', number: 'number', boolean: 'true | false' })[type] ?? 'anything')
    .join(' | ');
}

function defaultOf(shape: JsonSchema): string | undefined {
  if (shape.default === undefined) return undefined;
  const isEmptyMapping =
    typeof shape.default === 'object' && shape.default !== null && !Array.isArray(shape.default) && Object.keys(shape.default).length === 0;
  if (isEmptyMapping && shape.properties !== undefined) return undefined;
  if (Array.isArray(shape.default)) return `[${shape.default.map(String).join(', ')}]`;
  if (shape.default === '') return '""';
  return plainText(shape.default);
}

function plainText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
