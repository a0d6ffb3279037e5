import { createWriteStream, mkdirSync, openSync } from 'node:fs';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { redactDeep } from '../base/redact.ts';
import type { Io } from './io.ts';

export interface LogFile {
  path: string;
  write(entry: Readonly<Record<string, unknown>>): void;
  close(): Promise<void>;
}

/** One NDJSON file for each run, 0600, under the user's state directory (XDG Base Directory Specification). */
export function openLogFile(
  io: Pick<Io, 'env'>,
  { verb, now, redact }: { verb: string; now: Date; redact: (text: string) => string },
): LogFile {
  const xdg = io.env['XDG_STATE_HOME'];
  const directory = join(xdg && isAbsolute(xdg) ? xdg : join(homedir(), '.local', 'state'), 'slipway', 'logs');
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const path = join(directory, `${now.toISOString().replaceAll(':', '').replace(/\..*/, '')}-${verb}-${process.pid}.ndjson`);
  const stream = createWriteStream(path, { fd: openSync(path, 'wx', 0o600) });
  return {
    path,
    write: (entry) =>
      void stream.write(`${JSON.stringify({ time: new Date().toISOString(), ...(redactDeep(entry, redact) as object) })}\n`),
    close: () => new Promise((resolve) => stream.end(resolve)),
  };
}
