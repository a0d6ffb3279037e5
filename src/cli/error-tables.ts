import { preflightChecks } from '../checks/preflight/index.ts';
import { verifyChecks } from '../checks/verify/index.ts';

/** The code of an error that a check causes: `PREFLIGHT_DISK_SPACE`. */
export function checkCode(stage: 'PREFLIGHT' | 'VERIFY', id: string): string {
  return `${stage}_${id.toUpperCase().replaceAll('-', '_')}`;
}

/** The tables of docs/errors.md that follow from the checks, by name. */
export function checkTables(): Record<'preflight' | 'verify', string> {
  return { preflight: table('PREFLIGHT', preflightChecks), verify: table('VERIFY', verifyChecks) };
}

function table(stage: 'PREFLIGHT' | 'VERIFY', checks: readonly { id: string; title: string }[]): string {
  return ['| code | check |', '|---|---|', ...checks.map(({ id, title }) => `| \`${checkCode(stage, id)}\` | ${title} |`), ''].join('\n');
}
