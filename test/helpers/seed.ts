import { createRandom, type Random } from './random.ts';

/** Chance, for soak tests alone: another in every run, and printed, so that a failure can be had again with SLIPWAY_TEST_SEED. */
export function seeded(what: string): Random {
  const given = process.env['SLIPWAY_TEST_SEED'];
  const seed = given ? Number(given) : Date.now() >>> 0;
  process.stderr.write(`${what}: SLIPWAY_TEST_SEED=${seed}\n`);
  return createRandom(seed);
}
