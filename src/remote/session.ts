import { PassThrough } from 'node:stream';
import type { RunResult, Session } from './runner.ts';

/** A script whose input stays open for a conversation: `work` runs it with the stream that the lines are written to. */
export function openSession(work: (stdin: PassThrough) => Promise<RunResult>): Session {
  const input = new PassThrough();
  input.on('error', () => {});
  const done = work(input).finally(() => input.destroy());
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
