import { createInterface } from 'node:readline';
import { execa } from 'execa';
import type { StampedEvent } from '../../src/engine/events.ts';
import { slipwayBin, type Finished, type TestLab } from './lab.ts';

export interface Running {
  kill(signal: NodeJS.Signals): void;
}

type Watch = (event: StampedEvent, running: Running) => Promise<void> | void;

/** Runs apply and shows every event of it while it goes on; resolves with how it ended. */
export const watchedApply = (lab: TestLab, watch: Watch): Promise<Finished & { signal: string | undefined }> =>
  watched(lab, ['apply', '--yes'], watch);

/** The same of any verb that writes events. */
export async function watched(lab: TestLab, args: readonly string[], watch: Watch): Promise<Finished & { signal: string | undefined }> {
  const child = execa(process.execPath, [slipwayBin, ...args, '--events', '-'], {
    cwd: lab.directory,
    env: lab.env,
    reject: false,
    stdin: 'ignore',
    buffer: { stdout: false },
  });
  for await (const line of createInterface({ input: child.stdout }))
    await watch(JSON.parse(line) as StampedEvent, { kill: (signal) => void child.kill(signal) });
  const { exitCode, signal, stderr } = await child;
  return { exitCode: exitCode ?? 255, signal, stdout: '', stderr };
}

/** Runs apply and does something at the moment when so many steps are done. */
export function applyUntil(
  lab: TestLab,
  steps: number,
  act: (running: Running) => Promise<void> | void,
): Promise<Finished & { signal: string | undefined }> {
  let done = 0;
  return watchedApply(lab, async (event, running) => {
    if (event.code === 'step.done' && ++done === steps) await act(running);
  });
}

/** The errors that a run reported, each as its first line. */
export function errorsIn(stderr: string): string[] {
  return stderr.split('\n').filter((line) => /^error .*\[[A-Z_]+\]$/.test(line));
}
