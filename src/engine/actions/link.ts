import { sh } from '../../base/quote.ts';
import type { LinkAction } from '../step.ts';
import type { Kind } from './action.ts';

/** Swapped by rename, so that the name never points nowhere. */
export const link: Kind<LinkAction> = {
  reason({ path, target }, state) {
    const found = state.links[path];
    if (found === target) return undefined;
    if (found !== undefined) return `points to ${found}`;
    if (state.files[path]) return 'is a file, should be a link';
    return state.directories[path] ? 'is a directory, should be a link' : 'missing';
  },
  shell: ({ path, target }) =>
    sh`own ${path}; vacate ${path}; ln -sfn ${target} ${`${path}.slipway-new`}; mv -fT ${`${path}.slipway-new`} ${path}`,
};
