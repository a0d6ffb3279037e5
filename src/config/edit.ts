import { isDeepStrictEqual } from 'node:util';
import { type Document, isMap, isNode, isSeq, LineCounter, parseDocument, stringify, type YAMLSeq } from 'yaml';
import { SlipwayError } from '../base/errors.ts';
import { valueAt } from './issues.ts';
import { flowText } from './render.ts';
import type { ClusterFileInput } from './schema.ts';
import { didYouMean } from './suggest.ts';

export type HostInput = ClusterFileInput['spec']['hosts'][number];

/**
 * The text of a cluster file with one more host at the end of its list; every other byte stays as it is. Throws SlipwayError
 * CLUSTER_FILE_NOT_EDITABLE (usage) when the file cannot be changed safely. The result is not checked: parseCluster does that.
 */
export function addHost(text: string, hostInput: HostInput): string {
  // Without the fields that are undefined.
  const host = JSON.parse(JSON.stringify(hostInput)) as HostInput;
  const { document, list, value } = open(text);
  const expected = [...hostsOf(value), host];
  const last = list.items.at(-1);
  if (list.flow !== true && last !== undefined && isNode(last) && last.range) {
    const dash = ' '.repeat(columnOfDash(text, last.range[0]));
    const lines = isMap(last) && last.flow !== true ? stringify(host, { lineWidth: 0 }).trimEnd().split('\n') : [flowText(host)];
    const entry = lines.map((line, i) => `${dash}${i === 0 ? '- ' : '  '}${line}\n`).join('');
    const end = lineEnd(text, last.range[1]);
    const before = text.slice(0, end);
    const edited = `${before}${before.endsWith('\n') ? '' : '\n'}${entry}${text.slice(end)}`;
    if (isAsMeant(edited, value, expected)) return edited;
  }
  list.add(document.createNode(host, { flow: true }));
  return rewritten(document, value, expected);
}

/**
 * The text of a cluster file without the host of this name (or, when it has no name, address); comments around it stay. Throws SlipwayError
 * HOST_UNKNOWN, LAST_HOST or CLUSTER_FILE_NOT_EDITABLE (usage).
 */
export function removeHost(text: string, name: string): string {
  const { document, list, value } = open(text);
  const hosts = hostsOf(value);
  const names = hosts.map((host) => String(valueAt(host, ['name']) ?? valueAt(host, ['address'])));
  const byName = names.indexOf(name);
  const index = byName >= 0 ? byName : hosts.findIndex((host) => valueAt(host, ['address']) === name);
  if (index < 0) {
    const guess = didYouMean(name, names);
    const hint = guess === undefined ? `Hosts in the file: ${names.join(', ')}.` : `Did you mean ${guess}?`;
    throw new SlipwayError(`The cluster file has no host ${name}`, { code: 'HOST_UNKNOWN', category: 'usage', hint });
  }
  if (hosts.length === 1) {
    throw new SlipwayError(`${name} is the only host in the cluster file`, {
      code: 'LAST_HOST',
      category: 'usage',
      hint: 'slipway reset gives all hosts back.',
    });
  }
  const expected = hosts.filter((_, i) => i !== index);
  const item = list.items[index];
  if (list.flow !== true && isNode(item) && item.range) {
    const start = text.lastIndexOf('\n', item.range[0] - 1) + 1;
    const edited = text.slice(0, start) + text.slice(lineEnd(text, item.range[1]));
    if (isAsMeant(edited, value, expected)) return edited;
  }
  list.delete(index);
  return rewritten(document, value, expected);
}

/**
 * The text of a cluster file with the scalar at a path such as `['spec', 'kubernetes', 'version']` set; sections that are missing are added.
 * Throws SlipwayError CLUSTER_FILE_NOT_EDITABLE (usage).
 */
export function setField(text: string, path: readonly string[], field: string | number | boolean): string {
  const { document, value } = open(text);
  const expected = structuredClone(value) as Record<string, unknown>;
  path.slice(0, -1).reduce<Record<string, unknown>>((parent, key) => (parent[key] ??= {}) as Record<string, unknown>, expected)[
    path.at(-1)!
  ] = field;
  const node: unknown = document.getIn(path, true);
  if (isNode(node) && node.range) {
    const edited = text.slice(0, node.range[0]) + stringify(field, { lineWidth: 0 }).trimEnd() + text.slice(node.range[1]);
    if (isDeepStrictEqual(plain(edited), expected)) return edited;
  }
  document.setIn(path, field);
  const edited = document.toString({ lineWidth: 0, flowCollectionPadding: true });
  if (isDeepStrictEqual(plain(edited), expected)) return edited;
  throw notEditable();
}

function open(text: string): { document: Document.Parsed; list: YAMLSeq; value: unknown } {
  const document = parseDocument(text, { merge: true, version: '1.2', lineCounter: new LineCounter(), logLevel: 'error' });
  if (document.errors.length > 0) throw notEditable(document.errors[0]);
  let list: unknown;
  let value: unknown;
  try {
    list = document.getIn(['spec', 'hosts'], true);
    value = document.toJS();
  } catch (error) {
    throw notEditable(error);
  }
  if (!isSeq(list)) throw notEditable();
  return { document, list, value };
}

function hostsOf(value: unknown): unknown[] {
  const hosts = valueAt(value, ['spec', 'hosts']);
  return Array.isArray(hosts) ? hosts : [];
}

/** Cutting text by position is only trusted when the result says exactly what was asked for. */
function isAsMeant(edited: string, before: unknown, hosts: readonly unknown[]): boolean {
  const after = plain(edited);
  if (typeof before !== 'object' || before === null || after === undefined) return false;
  const spec = valueAt(before, ['spec']) as Record<string, unknown>;
  return isDeepStrictEqual(after, { ...before, spec: { ...spec, hosts } });
}

function plain(text: string): unknown {
  const document = parseDocument(text, { merge: true, version: '1.2', logLevel: 'error' });
  if (document.errors.length > 0) return undefined;
  try {
    return document.toJS();
  } catch {
    // An alias whose anchor went with the host.
    return undefined;
  }
}

function rewritten(document: Document.Parsed, before: unknown, hosts: readonly unknown[]): string {
  let edited: string;
  try {
    edited = document.toString({ lineWidth: 0 });
  } catch (error) {
    throw notEditable(error);
  }
  if (isAsMeant(edited, before, hosts)) return edited;
  throw notEditable();
}

function notEditable(cause?: unknown): SlipwayError {
  return new SlipwayError('The list of hosts in the cluster file cannot be changed without risk to the rest of the file', {
    code: 'CLUSTER_FILE_NOT_EDITABLE',
    category: 'usage',
    hint: 'Change spec.hosts by hand, then run slipway apply.',
    cause,
  });
}

/** Where the dash of the entry at this offset stands in its line. */
function columnOfDash(text: string, offset: number): number {
  const start = text.lastIndexOf('\n', offset - 1) + 1;
  return Math.max(0, text.slice(start, offset).lastIndexOf('-'));
}

/** The offset behind the line that ends the value at this offset. */
function lineEnd(text: string, offset: number): number {
  if (offset > 0 && text[offset - 1] === '\n') return offset;
  const end = text.indexOf('\n', offset);
  return end === -1 ? text.length : end + 1;
}
