import { isSlipwayError, messageOf, type SlipwayErrors, type SlipwayError } from '../base/errors.ts';
import { exitCodeOf } from './exit-code.ts';
import type { Paint } from './style.ts';

/** What happened, where, why, what next: as text for a person. Equal errors of many hosts are one. */
export function errorText(error: unknown, paint: Paint): string {
  if (!isSlipwayError(error)) {
    const stack =
      error instanceof Error || (typeof error === 'object' && error !== null && 'stack' in error)
        ? String((error as Error).stack)
        : messageOf(error);
    return `${paint('red', 'error')} [BUG] ${stack}\n  This is a mistake in Slipway itself: please report it with the log file.`;
  }
  if (!('errors' in error)) return one(error, [], paint);
  const { errors } = error as SlipwayErrors;
  const groups = new Map<string, { first: SlipwayError; hosts: string[] }>();
  for (const inner of errors) {
    const key = JSON.stringify([inner.code, withoutHost(inner), inner.evidence, inner.where.file, inner.where.line, inner.where.column]);
    const group = groups.get(key) ?? { first: inner, hosts: [] };
    if (inner.where.host && !group.hosts.includes(inner.where.host)) group.hosts.push(inner.where.host);
    groups.set(key, group);
  }
  const parts = [...groups.values()].map(({ first, hosts }) => one(first, hosts, paint));
  const hint = error.hint ? `  ${paint('cyan', 'next:')} ${error.hint}` : '';
  return [...parts, `${paint('red', 'error')} ${error.message}`, hint].filter((part) => part !== '').join('\n');
}

function withoutHost(error: SlipwayError): string {
  return error.where.host ? error.message.replaceAll(error.where.host, '*') : error.message;
}

function one(error: SlipwayError, hosts: readonly string[], paint: Paint): string {
  const { file, line, column, host } = error.where;
  const position = file ? `${file}${line === undefined ? '' : `:${line}${column === undefined ? '' : `:${column}`}`}: ` : '';
  const named =
    hosts.length > 1
      ? `${hosts.length} hosts (${hosts.slice(0, 8).join(', ')}${hosts.length > 8 ? ', ...' : ''}): `
      : host && !error.message.includes(host)
        ? `${host}: `
        : '';
  const lines = [`${paint('red', 'error')} ${position}${named}${error.message} ${paint('dim', `[${error.code}]`)}`];
  if (error.evidence) lines.push(...error.evidence.split('\n').map((text) => paint('dim', `    | ${text}`)));
  if (error.hint) lines.push(`  ${paint('cyan', 'next:')} ${error.hint}`);
  return lines.join('\n');
}

export function exitCodeFor(error: unknown): number {
  return isSlipwayError(error) ? exitCodeOf(error.category) : 1;
}
