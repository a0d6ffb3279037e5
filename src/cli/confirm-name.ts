import { SlipwayError } from '../base/errors.ts';
import type { Io } from './io.ts';
import type { GlobalOptions } from './options.ts';

export interface NameQuestion {
  /** The cluster's name, which is to be typed. */
  name: string;
  /** What `--confirm` said. */
  given: string | undefined;
  /** What will be lost, as a sentence. */
  warning: string;
}

/** What cannot be undone is confirmed by the cluster's name. Throws CONFIRMATION_NEEDED and CONFIRMATION_WRONG (usage). */
export async function confirmByName(
  { name, given, warning }: NameQuestion,
  { options, io }: { options: GlobalOptions; io: Io },
): Promise<boolean> {
  if (given !== undefined) {
    refuseWrongName(name, given);
    return true;
  }
  if (!io.interactive || !options.input) {
    throw new SlipwayError('nobody can confirm this: there is no terminal', {
      code: 'CONFIRMATION_NEEDED',
      category: 'usage',
      hint: `--confirm ${name} does, and only that: --yes is not enough for this`,
    });
  }
  const { askText } = await import('./ask.ts');
  if ((await askText(`${warning} Type its name, ${name}, to go on:`)) === name) return true;
  io.stderr.write('That is not its name; nothing was changed.\n');
  return false;
}

/** Before any host is asked. */
export function refuseWrongName(name: string, given: string | undefined): void {
  if (given === undefined || given === name) return;
  throw new SlipwayError(`the cluster’s name is ${name}, not ${given}`, {
    code: 'CONFIRMATION_WRONG',
    category: 'usage',
    hint: `if this is the cluster that you mean: --confirm ${name}`,
  });
}
