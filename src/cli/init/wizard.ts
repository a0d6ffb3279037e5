import type { Io } from '../io.ts';
import type { Paint } from '../style.ts';
import type { InitOptions } from './options.ts';
import type { Questions } from './questions.ts';

/** What the steps of the wizard share. */
export interface Wizard {
  options: InitOptions;
  io: Io;
  paint: Paint;
  /** Undefined when nothing may be asked: then flags and proposals answer. */
  questions: Questions | undefined;
  /** A line on standard error. */
  say(text: string): void;
  /** The home directory. */
  home: string;
  /** Where the file will be, absolute. */
  file: string;
}
