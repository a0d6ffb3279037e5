import { execFileSync } from 'node:child_process';
import { packageRoot } from '../../src/base/package-root.ts';
import { createRandom, type Random } from './random.ts';

/** Randomness that is another for every commit and the same for every run of one; printed, so that a failure can be had again with SLIPWAY_TEST_SEED. */
export function seeded(what: string): Random {
  const given = process.env['SLIPWAY_TEST_SEED'];
  const seed = given ? Number(given) : Number.parseInt(commit().slice(0, 8), 16);
  process.stderr.write(`${what}: SLIPWAY_TEST_SEED=${seed}\n`);
  return createRandom(seed);
}

function commit(): string {
  try {
    return execFileSync('git', ['rev-parse', 'HEAD'], { cwd: packageRoot(), encoding: 'utf8' });
  } catch {
    return '00000001';
  }
}
