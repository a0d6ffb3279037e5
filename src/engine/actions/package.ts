import { sh } from '../../base/quote.ts';
import type { PackageAction } from '../step.ts';
import type { Kind } from './action.ts';

export const packages: Kind<PackageAction> = {
  reason({ provides }, state) {
    const absent = provides.filter((command) => !state.commands.includes(command));
    return absent.length === 0 ? undefined : `${absent.join(', ')} not installed`;
  },
  shell: ({ names, install }) => `${names.map((name) => sh`note packages ${name}`).join('; ')}\n${install}`,
};
