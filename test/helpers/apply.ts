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

/** Whether this is the event by which so many steps are done. */
export function afterSteps(steps: number): (event: StampedEvent) => boolean {
  let done = 0;
  return (event) => event.code === 'step.done' && ++done === steps;
}

/** Kills a verb at a moment; gives back the signal that ended it: none when it had ended by itself. */
export async function killedAt(
  lab: TestLab,
  args: readonly string[],
  isMoment: (event: StampedEvent) => boolean,
): Promise<string | undefined> {
  const { signal } = await watched(lab, args, (event, running) => {
    if (isMoment(event)) running.kill('SIGKILL');
  });
  return signal;
}

/** Whether this is the end of the step. */
export const whenDone =
  (step: string) =>
  (event: StampedEvent): boolean =>
    event.code === 'step.done' && event.step.id === step;

/** Runs apply and does something at the moment when so many steps are done. */
export function applyUntil(
  lab: TestLab,
  steps: number,
  act: (running: Running) => Promise<void> | void,
): Promise<Finished & { signal: string | undefined }> {
  const isMoment = afterSteps(steps);
  return watchedApply(lab, async (event, running) => {
    if (isMoment(event)) await act(running);
  });
}

/** The errors that a run reported, each as its first line. */
export function errorsIn(stderr: string): string[] {
  return stderr.split('\n').filter((line) => /^error .*\[[A-Z_]+\]$/.test(line));
}
