import { type Document, LineCounter, parseAllDocuments } from 'yaml';
import { SlipwayError, SlipwayErrors, type Where } from '../base/errors.ts';
import { show, valueAt } from './issues.ts';

/** What tells an object from every other one. */
export interface ManifestObject {
  apiVersion: string;
  kind: string;
  /** As written: missing for what has no namespace, and for what lands in `default`. */
  namespace?: string;
  name: string;
}

/** What spec.addons.manifests comes to. */
export interface Manifests {
  /** All files, one after the other, as kubectl reads them. May hold secrets: it is in no plan and in no log. */
  text: string;
  objects: readonly ManifestObject[];
}

export interface ManifestFile {
  path: string;
  text: string;
}

/**
 * Reads no further than to the names of the objects: the rest is for the API server to judge. Throws SlipwayErrors MANIFEST_INVALID (usage)
 * with the position of everything that is wrong.
 */
export function parseManifests(files: readonly ManifestFile[]): Manifests {
  const found = files.flatMap(objectsIn);
  const errors = found.flatMap((entry) => ('message' in entry ? [entry] : []));
  const objects = found.flatMap((entry) => ('object' in entry ? [entry] : []));
  const first = new Map<string, Where>();
  for (const { object, where } of objects) {
    const key = identityOf(object);
    const before = first.get(key);
    if (before)
      errors.push({
        where,
        message: `${nameOf(object)} stands in ${before.file}:${before.line} already`,
        hint: 'Keep one of the two.',
      });
    else first.set(key, where);
  }
  if (errors.length > 0) throw invalid(errors);
  return {
    // Every file begins with a separator: kubectl takes a stream that begins with { for nothing but JSON.
    text: files.map(({ text }) => `---\n${text.replace(/^\uFEFF/, '').trimEnd()}\n`).join(''),
    objects: objects.map(({ object }) => object),
  };
}

/** Equal for the same object, in whatever version of its API it is written. */
export function identityOf({ apiVersion, kind, namespace = 'default', name }: ManifestObject): string {
  const group = apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : '';
  return JSON.stringify([group, kind, namespace === '' ? 'default' : namespace, name]);
}

/** `Deployment demo/web` */
export function nameOf({ kind, namespace, name }: ManifestObject): string {
  return `${kind} ${namespace === undefined ? '' : `${namespace}/`}${name}`;
}

interface Fault {
  where: Where;
  message: string;
  hint?: string;
}

interface Found {
  where: Where;
  object: ManifestObject;
}

function objectsIn({ path, text }: ManifestFile): (Fault | Found)[] {
  const lineCounter = new LineCounter();
  const at = (offset: number): Where => {
    const { line, col } = lineCounter.linePos(offset);
    return { file: path, line: Math.max(1, line), column: Math.max(1, col) };
  };
  // YAML 1.1, as kubectl reads it: a name such as `on` is no text there.
  const documents = parseAllDocuments(text, { lineCounter, merge: true, version: '1.1', prettyErrors: false, logLevel: 'error' });
  return [...documents].flatMap((document) => {
    const [error] = document.errors;
    if (error) return [{ where: at(error.pos[0]), message: `cannot be read as YAML: ${error.message}` }];
    if (document.contents === null) return [];
    const where = at(document.contents.range[0]);
    const value = plain(document);
    if (value === null || value === undefined) return [];
    return objectsOf(value).map((one) => identify(one, where));
  });
}

function plain(document: Document.Parsed): unknown {
  // Many aliases are a file's own affair; what a bomb would cost is bounded here.
  return document.toJS({ maxAliasCount: 1000 });
}

/** The items of a List are objects of their own. */
function objectsOf(value: unknown): unknown[] {
  const items = valueAt(value, ['items']);
  return /List$/.test(String(valueAt(value, ['kind']))) && Array.isArray(items) ? items.flatMap(objectsOf) : [value];
}

function identify(value: unknown, where: Where): Fault | Found {
  const fault = (message: string, hint?: string): Fault => ({ where, message, ...(hint === undefined ? {} : { hint }) });
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return fault(`${show(value)} is no Kubernetes object`);
  const text = (...path: string[]): string | undefined => {
    const field = valueAt(value, path);
    return typeof field === 'string' && field !== '' ? field : undefined;
  };
  const [apiVersion, kind, name, namespace] = [text('apiVersion'), text('kind'), text('metadata', 'name'), text('metadata', 'namespace')];
  if (apiVersion === undefined) return fault('the object has no apiVersion', 'Write it as text, such as apps/v1.');
  if (kind === undefined) return fault('the object has no kind', 'Write it as text, such as Deployment.');
  if (name === undefined) {
    const generated = text('metadata', 'generateName') !== undefined;
    const written: unknown = valueAt(value, ['metadata', 'name']);
    return fault(
      `the ${kind} has no metadata.name`,
      generated
        ? 'generateName makes another object each time: give it a name of its own.'
        : written === undefined || written === null
          ? 'Give it a name: an object without one cannot be found again.'
          : `Put it in quotes: YAML reads ${show(written)}, which is no text.`,
    );
  }
  return { where, object: { apiVersion, kind, ...(namespace === undefined ? {} : { namespace }), name } };
}

function invalid(faults: readonly Fault[]): SlipwayError {
  const errors = faults.map(
    ({ message, where, hint }) => new SlipwayError(message, { code: 'MANIFEST_INVALID', category: 'usage', where, hint }),
  );
  if (errors.length === 1) return errors[0]!;
  return new SlipwayErrors(`spec.addons.manifests has ${errors.length} problems`, { code: 'MANIFEST_INVALID', category: 'usage' }, errors);
}
