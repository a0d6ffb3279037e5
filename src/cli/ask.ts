import inquirer from 'inquirer';
import { SlipwayError } from '../base/errors.ts';

/** A yes-or-no question; no is the default. Ctrl-C at the question means that nothing was wanted. */
export async function ask(message: string): Promise<boolean> {
  try {
    const { answer } = await inquirer.prompt<{ answer: boolean }>([{ type: 'confirm', name: 'answer', default: false, message }]);
    return answer;
  } catch (error) {
    if (error instanceof Error && error.name === 'ExitPromptError')
      throw new SlipwayError('nothing was changed', { code: 'ABORTED', category: 'aborted', cause: error });
    throw error;
  }
}
