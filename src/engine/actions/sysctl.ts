import { quote, sh } from '../../base/quote.ts';
import type { SysctlAction } from '../step.ts';
import type { Kind } from './action.ts';

/** Sets the running kernel's values and remembers the ones before; the file that sets them at boot is a file step. */
export const sysctl: Kind<SysctlAction> = {
  reason({ settings }, state) {
    const wrong = Object.entries(settings).filter(([key, value]) => state.sysctls[key] !== value);
    return wrong.length === 0
      ? undefined
      : wrong.map(([key, value]) => `${key} is ${state.sysctls[key] ?? 'not there'}, should be ${value}`).join('; ');
  },
  shell: ({ settings }) =>
    Object.entries(settings)
      .map(([key, value]) => {
        const path = `/proc/sys/${key.replaceAll('.', '/')}`;
        return sh`[ -e ${path} ] || { echo ${`the kernel has no ${key}`}; exit 1; }; s_v=$(tr '\t' ' ' <${path}); [ "$s_v" = ${value} ] || { note sysctls ${key}="$s_v"; printf '%s\\n' ${value} >${quote(path)}; }`;
      })
      .join('\n'),
};
