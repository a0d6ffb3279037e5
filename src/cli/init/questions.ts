import inquirer from 'inquirer';
import { SlipwayError } from '../../base/errors.ts';
import type { Io } from '../io.ts';

export interface Choice {
  value: string;
  name: string;
  /** Shown below while the choice is under the cursor. */
  description?: string | undefined;
  checked?: boolean | undefined;
}

/** How the wizard asks. Every question rejects with ABORTED on Ctrl-C. A `validate` returns what is wrong, or undefined. */
export interface Questions {
  text(question: { message: string; default?: string | undefined; validate?: (answer: string) => string | undefined }): Promise<string>;
  choose(question: { message: string; choices: readonly Choice[]; default?: string | undefined }): Promise<string>;
  pick(question: {
    message: string;
    choices: readonly Choice[];
    validate?: (answers: readonly string[]) => string | undefined;
  }): Promise<string[]>;
  confirm(question: { message: string; default: boolean }): Promise<boolean>;
}

/** Questions at the terminal, drawn on standard error. */
export function terminalQuestions(io: Pick<Io, 'stdin' | 'stderr'>): Questions {
  const prompt = inquirer.createPromptModule({ input: io.stdin as NodeJS.ReadStream, output: io.stderr as NodeJS.WriteStream });
  const verdict = (problem: string | undefined): true | string => problem ?? true;
  return {
    text: async ({ validate, ...question }) =>
      (
        await answered(
          prompt<{ answer: string }>([
            { type: 'input', name: 'answer', ...defined(question), validate: (answer: string) => verdict(validate?.(answer)) },
          ]),
        )
      ).answer.trim(),
    choose: async (question) =>
      (
        await answered(
          prompt<{ answer: string }>([{ type: 'select', name: 'answer', ...defined(question), choices: question.choices.map(defined) }]),
        )
      ).answer,
    pick: async ({ validate, ...question }) =>
      (
        await answered(
          prompt<{ answer: string[] }>([
            {
              type: 'checkbox',
              name: 'answer',
              ...question,
              choices: question.choices.map(defined),
              validate: (picked: readonly { value: string }[]) => verdict(validate?.(picked.map(({ value }) => value))),
            },
          ]),
        )
      ).answer,
    confirm: async (question) => (await answered(prompt<{ answer: boolean }>([{ type: 'confirm', name: 'answer', ...question }]))).answer,
  };
}

/** inquirer throws ExitPromptError on Ctrl-C and on a closed input. */
async function answered<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (typeof error === 'object' && error !== null && 'name' in error && error.name === 'ExitPromptError') throw aborted(error);
    throw error;
  }
}

export function aborted(cause?: unknown): SlipwayError {
  return new SlipwayError('nothing was written', { code: 'ABORTED', category: 'aborted', cause });
}

/** Without the fields that are undefined, which inquirer would take for values. */
function defined<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}
