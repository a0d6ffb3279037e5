import type { SlipwayErrors } from '../../../src/base/errors.ts';
import { isSlipwayError } from '../../../src/base/errors.ts';
import { parseCluster } from '../../../src/config/parse.ts';

/** What is wrong with the text, one line each, as `line:column message | hint`. Throws when nothing is. */
export function problemsOf(text: string): string[] {
  try {
    parseCluster(text, '/srv/c.yaml');
  } catch (error) {
    if (!isSlipwayError(error) || !('errors' in error)) throw error;
    const { errors } = error as SlipwayErrors;
    return errors.map(({ where, message, hint }) => `${where.line}:${where.column} ${message}${hint === undefined ? '' : ` | ${hint}`}`);
  }
  throw new Error('the file has no problem');
}

export function warningsOf(text: string): string[] {
  return parseCluster(text, '/srv/c.yaml').warnings.map(
    ({ code, where, message, hint }) => `${where.line}:${where.column} ${code} ${message} | ${hint ?? ''}`,
  );
}

/** A file whose spec has these hosts (YAML in one line each) and these other lines. */
export function fileOf(hosts: readonly string[], ...rest: string[]): string {
  return ['spec:', '  hosts:', ...hosts.map((host) => `    - ${host}`), ...rest.map((line) => `  ${line}`), ''].join('\n');
}

export const CONTROL = '{ address: 10.0.0.1, roles: [control-plane, worker] }';
