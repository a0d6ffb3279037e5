import inquirer from 'inquirer';
import { SlipwayError } from '../base/errors.ts';

/** A question whose answer is typed, a text. Ctrl-C at the question means that nothing was wanted. */
export async function askText(message: string): Promise<string> {
  const { answer } = await asking(inquirer.prompt<{ answer: string }>([{ type: 'input', name: 'answer', message }]));
  return answer.trim();
}

/** A yes-or-no question; no is the default. Ctrl-C at the question means that nothing was wanted. */
export async function ask(message: string): Promise<boolean> {
  const { answer } = await asking(inquirer.prompt<{ answer: boolean }>([{ type: 'confirm', name: 'answer', default: false, message }]));
  return answer;
}

async function asking<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof Error && error.name === 'ExitPromptError')
      throw new SlipwayError('nothing was changed', { code: 'ABORTED', category: 'aborted', cause: error });
    throw error;
  }
}
