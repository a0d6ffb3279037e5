import { Readable, Writable } from 'node:stream';
import type { Choice, Questions } from '../../../src/cli/init/questions.ts';
import type { Io } from '../../../src/cli/io.ts';

/** A sink that keeps what was written. */
function sink(): Writable & { text(): string } {
  const parts: string[] = [];
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      parts.push(chunk.toString());
      done();
    },
  });
  return Object.assign(stream, { text: () => parts.join('') });
}

export interface FakeIo extends Io {
  out(): string;
  err(): string;
  interrupt(): void;
}

export function fakeIo({ interactive, env = {} }: { interactive: boolean; env?: Record<string, string> }): FakeIo {
  const stdout = sink();
  const stderr = sink();
  const listeners = new Set<() => void>();
  return {
    stdout,
    stderr,
    stdin: Readable.from([]),
    env,
    interactive,
    animated: false,
    color: { stderr: false, stdout: false },
    onInterrupt(callback) {
      listeners.add(callback);
      return () => listeners.delete(callback);
    },
    out: () => stdout.text(),
    err: () => stderr.text(),
    interrupt: () => listeners.forEach((callback) => callback()),
  };
}

/** A person's answers by the beginning of the question; a list is used up one after the other, and what is not listed takes the default. */
export type Answers = Record<string, readonly (string | boolean | readonly string[] | (() => never))[]>;

/** Answers like a person at the terminal: refuses what `validate` refuses, and choices that are not there. Every answer must be asked for. */
export function person(answers: Answers): Questions & { asked: string[]; unused(): string[] } {
  const left = new Map(Object.entries(answers).map(([question, list]) => [question, [...list]]));
  const asked: string[] = [];
  const answer = <T>(message: string, fallback: T | undefined): T => {
    asked.push(message);
    const key = [...left.keys()].find((start) => message.startsWith(start) && left.get(start)!.length > 0);
    if (key === undefined) {
      if (fallback === undefined) throw new Error(`nobody answers: ${message}`);
      return fallback;
    }
    const given = left.get(key)!.shift()!;
    return typeof given === 'function' ? given() : (given as T);
  };
  const among = (choices: readonly Choice[], value: string): string => {
    if (!choices.some((choice) => choice.value === value))
      throw new Error(`${value} is not among ${choices.map((choice) => choice.value).join(', ')}`);
    return value;
  };
  return {
    asked,
    unused: () => [...left].filter(([, list]) => list.length > 0).map(([question]) => question),
    async text({ message, default: fallback, validate }) {
      for (;;) {
        const text = answer(message, fallback);
        const problem = validate?.(text);
        if (problem === undefined) return text;
        asked.push(`  refused: ${problem}`);
      }
    },
    async choose({ message, choices, default: fallback }) {
      return among(choices, answer(message, fallback));
    },
    async pick({ message, choices, validate }) {
      const picked = answer(
        message,
        choices.filter(({ checked }) => checked === true).map(({ value }) => value),
      );
      const problem = validate?.(picked);
      if (problem !== undefined) throw new Error(problem);
      return picked.map((value) => among(choices, value));
    },
    async confirm({ message, default: fallback }) {
      return answer(message, fallback);
    },
  };
}
