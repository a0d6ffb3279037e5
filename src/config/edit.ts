import { isDeepStrictEqual } from 'node:util';
import { type Document, isMap, isNode, isSeq, type Node, parseDocument, stringify, type YAMLSeq } from 'yaml';
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
  if (isNode(last) && last.range) {
    const edited = list.flow === true ? splice(text, [last.range[1], last.range[1]], `, ${flowText(host)}`) : withEntry(text, last, host);
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
  const [from, to] = list.flow === true ? flowEntry(list, index) : blockEntry(text, list, index);
  if (from < to) {
    const edited = splice(text, [from, to], '');
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
  const { document } = open(text);
  const expected = plain(text) as Record<string, unknown>;
  path.slice(0, -1).reduce<Record<string, unknown>>((parent, key) => (parent[key] ??= {}) as Record<string, unknown>, expected)[
    path.at(-1)!
  ] = field;
  const edited = withField({ text, document }, path, field);
  if (edited !== undefined && isDeepStrictEqual(plain(edited), expected)) return edited;
  document.setIn(path, field);
  const whole = document.toString({ lineWidth: 0 });
  if (isDeepStrictEqual(plain(whole), expected)) return whole;
  throw notEditable();
}

function open(text: string): { document: Document.Parsed; list: YAMLSeq; value: unknown } {
  const document = parseDocument(text, { merge: true, version: '1.2', logLevel: 'error' });
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
  return new SlipwayError('The cluster file cannot be changed here without risk to the rest of it', {
    code: 'CLUSTER_FILE_NOT_EDITABLE',
    category: 'usage',
    hint: 'Change the file by hand; slipway validate checks it.',
    cause,
  });
}

/** A host behind the last one of a block list, written in the manner of that one. */
function withEntry(text: string, last: Node, host: HostInput): string {
  if (!last.range) return text;
  const dash = ' '.repeat(columnOfDash(text, last.range[0]));
  const lines = isMap(last) && last.flow !== true ? stringify(host, { lineWidth: 0 }).trimEnd().split('\n') : [flowText(host)];
  const newline = text.includes('\r\n') ? '\r\n' : '\n';
  const entry = lines.map((line, i) => `${dash}${i === 0 ? '- ' : '  '}${line}${newline}`).join('');
  const end = lineEnd(text, last.range[1]);
  return splice(text, [end, end], `${text.slice(0, end).endsWith('\n') ? '' : newline}${entry}`);
}

/** From where to where an entry of a block list goes, whole lines. */
function blockEntry(text: string, list: YAMLSeq, index: number): [number, number] {
  const item = list.items[index];
  if (!isNode(item) || !item.range) return [0, 0];
  return [text.lastIndexOf('\n', item.range[0] - 1) + 1, lineEnd(text, item.range[1])];
}

/** From where to where an entry of a list in brackets goes, with one comma. */
function flowEntry(list: YAMLSeq, index: number): [number, number] {
  const [before, item, after] = [list.items[index - 1], list.items[index], list.items[index + 1]].map((node) =>
    isNode(node) ? node.range : undefined,
  );
  if (!item) return [0, 0];
  if (after) return [item[0], after[0]];
  return before ? [before[1], item[1]] : [0, 0];
}

/** Replaces the scalar at the path, or adds what is missing of the path as the first line of the mapping that is there. */
function withField(
  { text, document }: { text: string; document: Document.Parsed },
  path: readonly string[],
  field: string | number | boolean,
): string | undefined {
  const node: unknown = document.getIn(path, true);
  if (isNode(node) && node.range) return splice(text, [node.range[0], node.range[1]], flowText(field));
  const depth = path.findLastIndex((_, i) => isMap(document.getIn(path.slice(0, i), true)));
  const parent: unknown = depth < 0 ? undefined : document.getIn(path.slice(0, depth), true);
  const first = isMap(parent) ? parent.items[0]?.key : undefined;
  if (!isNode(first) || !first.range) return undefined;
  const missing = path.slice(depth);
  const entry = `${missing[0]}: ${flowText(missing.slice(1).reduceRight<unknown>((value, key) => ({ [key]: value }), field))}`;
  const start = first.range[0];
  if (isMap(parent) && parent.flow === true) return splice(text, [start, start], `${entry}, `);
  const indent = text.slice(text.lastIndexOf('\n', start - 1) + 1, start);
  return splice(text, [start, start], `${entry}\n${indent}`);
}

function splice(text: string, [from, to]: readonly [number, number], insert: string): string {
  return text.slice(0, from) + insert + text.slice(to);
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
