import { sh } from '../../base/quote.ts';
import { RUN } from '../state.ts';
import type { PackageAction } from '../step.ts';
import type { Kind } from './action.ts';

/** A package manager that may no longer write its output gives up in the middle: a lost connection must not take that from it. */
export const packages: Kind<PackageAction> = {
  reason({ provides }, state) {
    const absent = provides.filter((command) => !state.commands.includes(command));
    return absent.length === 0 ? undefined : `${absent.join(', ')} not installed`;
  },
  shell: ({ names, install }) => `${names.map((name) => sh`note packages ${name}`).join('; ')}
set +e
( set -e
${install}
) >${RUN}/packages.log 2>&1
s_code=$?
[ $s_code = 0 ] || cat ${RUN}/packages.log
exit $s_code`,
};
