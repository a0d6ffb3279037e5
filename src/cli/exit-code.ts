import type { Category } from '../base/errors.ts';

/** The exit codes of DESIGN 9; a documented contract. */
export const exitCodes = {
  ok: 0,
  failed: 1,
  pending: 2,
  usage: 3,
  unreachable: 4,
  refused: 5,
  locked: 6,
  aborted: 130,
} as const;

export function exitCodeOf(category: Category): number {
  return category === 'bug' ? exitCodes.failed : exitCodes[category];
}
