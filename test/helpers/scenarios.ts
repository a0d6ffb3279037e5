import { expect } from '@jest/globals';
import { applyUntil, errorsIn } from './apply.ts';
import { applyStruck, type BadLines, type Blow, type Fault } from './bad-lines.ts';
import type { TestLab } from './lab.ts';
import { resultOf } from './result.ts';

/** Kills apply again and again, each time after so many steps. */
export async function killed(lab: TestLab, steps: readonly number[]): Promise<void> {
  for (const after of steps) {
    const { signal, exitCode, stderr } = await applyUntil(lab, after, (running) => running.kill('SIGKILL'));
    // A round that finds too little left to do ends by itself, and well.
    if (signal !== 'SIGKILL') expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr });
  }
}

/** Seconds after which nobody would wait any longer: keepalives need 40 of them, and other hosts finish what they do. */
const BOUND = 120;

/**
 * Lets the fault strike one run of apply: it ends in bounded time, and unless it could go on, with one error that names the host; of the checks of a
 * verification each that needs the host has its own.
 */
export async function struck(lines: BadLines, fault: Fault, blow: Blow): Promise<void> {
  const { exitCode, stderr, seconds } = await applyStruck(lines, fault, blow);
  const { host } = blow;
  if (exitCode === 0) {
    // There was too little left to do, or nothing on that host: a new connection was enough.
    if (seconds !== undefined && fault.moment === 'any') expect(fault.name).toBe('reset');
    return;
  }
  const errors = errorsIn(stderr);
  if (!stderr.includes('== verifying')) expect({ errors, stderr }).toEqual({ errors: [expect.stringMatching(`${host}.*lost`)], stderr });
  for (const error of errors) expect(error).toContain(host);
  expect(stderr).toMatch(/run the same command again|slipway verify again/);
  expect(exitCode).toBe(1);
  expect(seconds).toBeLessThan(BOUND);
}

/** The next apply, whatever came before, finishes the job, and the one after it finds nothing to do. Gives back what it amounts to. */
export async function converged(lab: TestLab): Promise<Record<string, string>> {
  await lab.ok('apply', '--yes');
  const { stderr } = await lab.ok('apply', '--yes');
  expect(stderr).toContain('Nothing to change');
  return resultOf(lab);
}

/** Digests of everything that was delivered and counts as whole, as one line for each file and host. */
export async function delivered(lab: TestLab): Promise<string[]> {
  const found = await lab.everywhere(
    "find /opt/slipway -mindepth 3 -maxdepth 3 -type f ! -name .manifest ! -path '*/.incoming/*' -exec sha256sum {} + 2>/dev/null || :",
  );
  return Object.entries(found).flatMap(([host, text]) => text.split('\n').flatMap((line) => (line === '' ? [] : [`${host} ${line}`])));
}
