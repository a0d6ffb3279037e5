import { sh } from '../../base/quote.ts';
import type { DirectoryAction } from '../step.ts';
import type { Kind } from './action.ts';

export const directory: Kind<DirectoryAction> = {
  reason({ path, mode, owner }, state) {
    const found = state.directories[path];
    if (!found) return state.links[path] === undefined ? 'missing' : 'is a link, should be a directory';
    if (found.mode !== mode) return `mode ${found.mode}, should be ${mode}`;
    if (found.owner !== owner) return `owner ${found.owner}, should be ${owner}`;
    return undefined;
  },
  shell: ({ path, mode, owner }) => sh`own ${path}; [ -d ${path} ] || mkdir -p ${path}; chown ${owner} ${path}; chmod ${mode} ${path}`,
};
