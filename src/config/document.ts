import { type Document, LineCounter, isAlias, isMap, isNode, isScalar, isSeq, type Node, parseDocument, visit } from 'yaml';
import { messageOf, type Where } from '../base/errors.ts';
import { type Locate, type Path, type Problem, problemsError } from './problem.ts';

export interface ClusterDocument {
  document: Document.Parsed;
  /** The document as plain values. */
  value: unknown;
  /** The position of a path, or of the nearest thing above it that is there. */
  locate: Locate;
}

/** Reads YAML 1.2 with positions. Throws SlipwayErrors (CLUSTER_FILE_INVALID) for everything that is wrong with it as YAML. */
export function readDocument(text: string, file: string): ClusterDocument {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, {
    lineCounter,
    uniqueKeys: true,
    merge: true,
    version: '1.2',
    prettyErrors: false,
    logLevel: 'error',
  });
  const at = (offset: number): Where => {
    const { line, col } = lineCounter.linePos(offset);
    return { file, line: Math.max(1, line), column: Math.max(1, col) };
  };
  const syntaxProblems: (Problem & { offset: number })[] = document.errors.map((error) => ({
    path: [],
    offset: error.pos[0],
    ...explainYaml(error.code, error.message),
  }));
  if (document.directives.yaml.explicit === true && document.directives.yaml.version === '1.1') {
    syntaxProblems.push({
      path: [],
      offset: 0,
      message: 'YAML 1.1 reads yes, no, on and off as booleans; Slipway reads YAML 1.2',
      hint: 'Remove the %YAML line.',
    });
  }
  const told = new Set<string>();
  const once = syntaxProblems.filter(({ offset, message }) => !told.has(`${offset} ${message}`) && told.add(`${offset} ${message}`));
  if (once.length > 0) {
    const offsets = new Map<Path, number>(once.map((problem) => [problem.path, problem.offset]));
    throw problemsError(once, file, (path) => at(offsets.get(path) ?? 0));
  }
  const locate: Locate = (path, atKey) => at(offsetOf(document, path, atKey));
  let value: unknown;
  try {
    keepFlagText(document);
    value = document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    throw problemsError([{ path: [], message: `cannot be read as YAML: ${messageOf(error)}` }], file, () => at(firstBadAlias(document)));
  }
  return { document, value, locate };
}

/** A flag's value is text: 1.10 must not become 1.1, nor 0644 or 1e3 another number. */
function keepFlagText(document: Document.Parsed): void {
  const components: unknown = document.getIn(['spec', 'components'], true);
  if (!isNode(components)) return;
  visit(components, {
    Pair(_, pair) {
      if (isScalar(pair.key) && pair.key.value === 'args') return;
      if (isScalar(pair.value) && typeof pair.value.value === 'number' && pair.value.source !== undefined)
        pair.value.value = pair.value.source;
    },
  });
}

/** The offset of the first alias without an anchor, else the beginning. */
function firstBadAlias(document: Document.Parsed): number {
  let offset = 0;
  visit(document, {
    Alias(_, alias) {
      if (alias.resolve(document) !== undefined) return undefined;
      offset = alias.range?.[0] ?? 0;
      return visit.BREAK;
    },
  });
  return offset;
}

function explainYaml(code: string, message: string): { message: string; hint?: string } {
  switch (code) {
    case 'MULTIPLE_DOCS':
      return {
        message: 'there is a second document in this file; a cluster file is a single one',
        hint: 'Remove the line --- and what follows, or put it in a file of its own.',
      };
    case 'DUPLICATE_KEY':
      return { message: 'this key stands twice in the same mapping', hint: 'Keep one of them.' };
    case 'TAB_AS_INDENT':
      return { message: 'a tab is used for indentation, which YAML does not allow', hint: 'Indent with spaces.' };
    default:
      return { message: `not valid YAML: ${message.replace(/ at line \d+, column \d+:?[\s\S]*$/, '')}` };
  }
}

/** The character offset of a path; parts that are not there are left out. */
function offsetOf(document: Document.Parsed, path: Path, atKey: boolean): number {
  let node: Node | null = document.contents;
  let offset = node?.range?.[0] ?? 0;
  for (const [i, part] of path.entries()) {
    if (isAlias(node)) node = node.resolve(document) ?? null;
    let next: unknown;
    let key: unknown;
    if (isMap(node)) {
      const pair = node.items.find((item) => keyText(item.key) === String(part));
      next = pair?.value;
      key = pair?.key;
    } else if (isSeq(node) && typeof part === 'number') next = node.items[part];
    const keyOffset = isNode(key) ? key.range?.[0] : undefined;
    const nextOffset = isNode(next) ? next.range?.[0] : undefined;
    if (keyOffset === undefined && nextOffset === undefined) break;
    offset = (i === path.length - 1 && atKey ? keyOffset : undefined) ?? nextOffset ?? keyOffset ?? offset;
    node = isNode(next) ? next : null;
  }
  return offset;
}

function keyText(key: unknown): string {
  return isScalar(key) ? String(key.value) : String(key);
}
