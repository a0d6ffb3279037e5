import { sh } from '../../base/quote.ts';
import type { LinkAction } from '../step.ts';
import type { Kind } from './action.ts';

/** Swapped by rename, so that the name never points nowhere. */
export const link: Kind<LinkAction> = {
  reason({ path, target }, state) {
    const found = state.links[path];
    if (found === target) return undefined;
    return found === undefined ? 'missing' : `points to ${found}`;
  },
  shell: ({ path, target }) => sh`own ${path}; ln -sfn ${target} ${`${path}.slipway-new`}; mv -fT ${`${path}.slipway-new`} ${path}`,
};
