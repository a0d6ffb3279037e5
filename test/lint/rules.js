import { isBuiltin } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isPure, packageRooms, roomOf, rooms } from './rooms.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');

/** Everything by which a module can bring in another one. */
function onImports(context, check) {
  const from = (node, typeOnly) => {
    if (typeof node.source?.value === 'string') check({ node, source: node.source.value, typeOnly });
  };
  const allTypes = (specifiers, kind) => specifiers.length > 0 && specifiers.every((specifier) => specifier[kind] === 'type');
  return {
    ImportDeclaration: (node) => from(node, node.importKind === 'type' || allTypes(node.specifiers, 'importKind')),
    ExportNamedDeclaration: (node) => from(node, node.exportKind === 'type' || allTypes(node.specifiers, 'exportKind')),
    ExportAllDeclaration: (node) => from(node, node.exportKind === 'type'),
    ImportExpression: (node) => from(node, false),
    TSImportType: (node) => from(node, true),
  };
}

function fileOf(context) {
  return relative(root, context.filename);
}

/** The project's file that a relative import means, or undefined for a package. */
function targetOf(context, source) {
  return source.startsWith('.') ? relative(root, join(dirname(context.filename), source)) : undefined;
}

function packageOf(source) {
  return source.startsWith('@') ? source.split('/').slice(0, 2).join('/') : source.split('/')[0];
}

const roomsRule = {
  meta: {
    type: 'problem',
    schema: [],
    messages: {
      room: '{{from}} may not import from {{to}}: rooms know only those below them (test/lint/rooms.js).',
      types: '{{from}} may import only types from {{to}}: write `import type`.',
      outside: '{{source}} lies in no room that {{from}} may import from.',
      package: '{{name}} belongs to {{owner}}; {{from}} goes through it.',
    },
  },
  create(context) {
    const from = roomOf(fileOf(context));
    const known = rooms[from];
    if (known === undefined) return {};
    return onImports(context, ({ node, source, typeOnly }) => {
      const target = targetOf(context, source);
      if (target === undefined) {
        const name = packageOf(source);
        if (!(name in packageRooms) || packageRooms[name] === from) return;
        context.report({ node, messageId: 'package', data: { name, owner: packageRooms[name] ?? 'no room', from } });
        return;
      }
      const to = roomOf(target);
      if (to === from || known.values.includes(to) || known.files?.some((file) => target.endsWith(file))) return;
      if (to === undefined) context.report({ node, messageId: 'outside', data: { source, from } });
      else if (!known.types?.includes(to)) context.report({ node, messageId: 'room', data: { from, to } });
      else if (!typeOnly) context.report({ node, messageId: 'types', data: { from, to } });
    });
  },
};

const pureBuiltins = new Set(['path', 'path/posix', 'util', 'buffer', 'url', 'assert']);
/** Of node:crypto only what gives the same for the same bytes. */
const pureCrypto = new Set(['createHash', 'createHmac', 'X509Certificate', 'timingSafeEqual']);
const impurePackages = new Set(['execa', 'node-ssh', 'ssh2', 'zx', 'inquirer', 'listr2', 'commander', '@peculiar/x509']);
const impureGlobals = new Set(
  'fetch process performance crypto console globalThis setTimeout setInterval setImmediate queueMicrotask WebSocket require'.split(' '),
);

const pureRule = {
  meta: {
    type: 'problem',
    schema: [],
    messages: {
      import: 'This file is pure and may not use {{source}}: what it has to give is passed in.',
      impure: 'This file is pure and may not import values from {{target}}, which is not.',
      global: 'This file is pure and may not use {{name}}: pass in what it gives.',
    },
  },
  create(context) {
    if (!isPure(fileOf(context))) return {};
    return {
      ...onImports(context, ({ node, source, typeOnly }) => {
        if (typeOnly) return;
        const target = targetOf(context, source);
        if (target !== undefined) {
          if (!isPure(target)) context.report({ node, messageId: 'impure', data: { target } });
          return;
        }
        if (isBuiltin(source)) {
          const name = source.replace(/^node:/, '');
          const specifiers = node.specifiers ?? [];
          const named = specifiers.length > 0 && specifiers.every(({ imported }) => pureCrypto.has(imported?.name));
          if (pureBuiltins.has(name) || (name === 'crypto' && named)) return;
          context.report({ node, messageId: 'import', data: { source } });
        } else if (impurePackages.has(packageOf(source))) context.report({ node, messageId: 'import', data: { source } });
      }),
      'Program:exit'(node) {
        for (const identifier of globalReferences(context.sourceCode.getScope(node))) {
          const name = impurityOf(identifier);
          if (name !== undefined) context.report({ node: identifier, messageId: 'global', data: { name } });
        }
      },
    };
  },
};

function globalReferences(moduleScope) {
  let scope = moduleScope;
  while (scope.upper !== null) scope = scope.upper;
  const declared = scope.variables.filter((variable) => variable.defs.length === 0).flatMap((variable) => variable.references);
  const references = new Set([...scope.through, ...declared]);
  return [...references].filter((reference) => reference.isValueReference !== false).map((reference) => reference.identifier);
}

function impurityOf(identifier) {
  const { name, parent } = identifier;
  if (impureGlobals.has(name)) return name;
  const member =
    parent.type === 'MemberExpression' && parent.object === identifier ? (parent.property.name ?? parent.property.value) : undefined;
  if (name === 'Math' && member === 'random') return 'Math.random';
  if (name !== 'Date') return undefined;
  if (member === 'now') return 'Date.now';
  if (parent.type === 'NewExpression' && parent.callee === identifier && parent.arguments.length === 0) return 'new Date()';
  if (parent.type === 'CallExpression' && parent.callee === identifier) return 'Date()';
  return undefined;
}

export default { rules: { rooms: roomsRule, pure: pureRule } };
