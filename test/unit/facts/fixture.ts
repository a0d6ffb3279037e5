import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Facts } from '../../../src/facts/facts.ts';
import { parseFacts } from '../../../src/facts/parse.ts';

/** What the script printed on a real host. */
export function output(name: string): string {
  return readFileSync(join(import.meta.dirname, '../../fixtures/facts', `${name}.txt`), 'utf8');
}

/** The facts of that host; its clock agrees with the operator's. */
export function factsOf(name: string): Facts {
  const facts = parseFacts(output(name), 0);
  return { ...facts, clock: { host: facts.clock.host, operator: facts.clock.host } };
}
