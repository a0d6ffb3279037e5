import type { Action } from '../step.ts';
import type { HostState } from '../state.ts';
import type { Kind } from './action.ts';
import { artefact } from './artefact.ts';
import { directory } from './directory.ts';
import { file } from './file.ts';
import { link } from './link.ts';
import { packages } from './package.ts';
import { script } from './script.ts';
import { sysctl } from './sysctl.ts';
import { unit } from './unit.ts';
import { user } from './user.ts';
import { wait } from './wait.ts';

const local: Kind<Extract<Action, { kind: 'local' }>> = {
  reason: () => 'to be done',
  shell: () => {
    throw new Error('local work has no shell text');
  },
};

const kinds: { [K in Action['kind']]: Kind<Extract<Action, { kind: K }>> } = {
  directory,
  file,
  link,
  user,
  sysctl,
  package: packages,
  artefact,
  unit,
  script,
  wait,
  local,
};

export function reasonFor(action: Action, state: HostState): string | undefined {
  return (kinds[action.kind] as Kind<Action>).reason(action, state);
}

export function shellFor(action: Action, bytes: readonly Buffer[]): string {
  return (kinds[action.kind] as Kind<Action>).shell(action, bytes);
}
