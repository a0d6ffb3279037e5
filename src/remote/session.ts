import { PassThrough } from 'node:stream';
import type { Execution, Outcome } from './execute.ts';
import type { RunResult, Session } from './runner.ts';

/** A script whose input stays open for a conversation. */
export function openSession(
  start: (stdin: PassThrough) => Promise<{ execution: Execution; release: () => void }>,
  settle: (outcome: Outcome) => RunResult,
): Session {
  const input = new PassThrough();
  input.on('error', () => {});
  const work = async (): Promise<RunResult> => {
    try {
      const { execution, release } = await start(input);
      return settle(await execution.outcome.finally(release));
    } finally {
      input.destroy();
    }
  };
  const done = work();
  done.catch(() => {});
  return {
    writeLine: (line) => {
      if (input.writable) input.write(`${line}\n`);
    },
    end: () => {
      if (input.writable) input.end();
    },
    done,
  };
}
