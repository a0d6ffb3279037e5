import { z } from 'zod';
import type { Path } from './problem.ts';
import { clusterFileSchema } from './schema.ts';

/** The part of JSON Schema (draft 2020-12) that ours uses. */
export interface JsonSchema {
  $ref?: string;
  type?: string | string[];
  description?: string;
  default?: unknown;
  enum?: unknown[];
  const?: string | number | boolean;
  properties?: Record<string, JsonSchema>;
  required?: string[];
  additionalProperties?: JsonSchema | boolean;
  propertyNames?: JsonSchema;
  items?: JsonSchema;
  anyOf?: JsonSchema[];
  minimum?: number;
  maximum?: number;
  pattern?: string;
  examples?: unknown[];
  [key: string]: unknown;
}

let cached: JsonSchema | undefined;

/** What a person may write, as JSON Schema. */
export function fileShape(): JsonSchema {
  cached ??= z.toJSONSchema(clusterFileSchema, { io: 'input' }) as JsonSchema;
  return cached;
}

/** The shapes that can stand at a path: several where the schema allows alternatives, none where nothing can stand. */
export function shapesAt(path: Path): readonly JsonSchema[] {
  return path.reduce<readonly JsonSchema[]>((shapes, part) => shapes.flatMap((shape) => inside(shape, part)), [fileShape()]);
}

/** Resolves `anyOf` into its alternatives. */
export function alternatives(shape: JsonSchema): readonly JsonSchema[] {
  return shape.anyOf === undefined ? [shape] : shape.anyOf.flatMap(alternatives);
}

function inside(shape: JsonSchema, part: string | number): readonly JsonSchema[] {
  return alternatives(shape).flatMap((one) => {
    if (typeof part === 'number') return one.items === undefined ? [] : [one.items];
    const property = one.properties !== undefined && Object.hasOwn(one.properties, part) ? one.properties[part] : undefined;
    if (property !== undefined) return [property];
    if (typeof one.additionalProperties !== 'object') return [];
    const keys = one.propertyNames?.enum;
    return keys === undefined || keys.includes(part) ? [one.additionalProperties] : [];
  });
}

/** The keys that the mapping at a path may have. */
export function keysAt(path: Path): readonly string[] {
  return shapesAt(path).flatMap((shape) =>
    alternatives(shape).flatMap((one) => [
      ...Object.keys(one.properties ?? {}),
      ...((one.propertyNames?.enum as string[] | undefined) ?? []),
    ]),
  );
}

/** Examples of what can stand at a path. */
export function examplesAt(path: Path): readonly string[] {
  return shapesAt(path).flatMap((shape) => alternatives(shape).flatMap((one) => (one.examples ?? []).map(String)));
}

/** What can stand at a path, each alternative in a few words: `auto`, `a text`, `{ mirror }`. */
export function allowedAt(path: Path): readonly string[] {
  return [...new Set(shapesAt(path).flatMap(alternatives).flatMap(allowedBy))];
}

function allowedBy(shape: JsonSchema): string[] {
  if (shape.const !== undefined) return [String(shape.const)];
  if (shape.enum !== undefined) return shape.enum.map(String);
  if (shape.properties !== undefined) return [`{ ${Object.keys(shape.properties).join(', ')} }`];
  const types = Array.isArray(shape.type) ? shape.type : [shape.type ?? ''];
  return types.map(
    (type) =>
      ({ string: 'a text', number: 'a number', integer: 'a whole number', boolean: 'true or false', array: 'a list' })[type] ?? 'a mapping',
  );
}
