import { sh } from '../../base/quote.ts';
import type { UserAction } from '../step.ts';
import type { Kind } from './action.ts';

export const user: Kind<UserAction> = {
  reason: ({ name }, state) => (state.users.includes(name) ? undefined : 'missing'),
  shell: ({ name, home }) =>
    sh`getent passwd ${name} >/dev/null || { note users ${name}; useradd --system --user-group --no-create-home --home-dir ${home} --shell /usr/sbin/nologin ${name}; }`,
};
