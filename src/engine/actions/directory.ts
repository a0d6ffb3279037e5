import { sh } from '../../base/quote.ts';
import type { DirectoryAction } from '../step.ts';
import type { Kind } from './action.ts';

export const directory: Kind<DirectoryAction> = {
  reason({ path, mode, owner }, state) {
    const found = state.directories[path];
    if (!found && state.files[path]) return 'is a file, should be a directory';
    if (!found) return state.links[path] === undefined ? 'missing' : 'is a link, should be a directory';
    if (found.mode !== mode) return `mode ${found.mode}, should be ${mode}`;
    if (found.owner !== owner) return `owner ${found.owner}, should be ${owner}`;
    return undefined;
  },
  // A link that leads nowhere is not replaced where others keep their data: what it led to may only not be mounted.
  shell: ({ path, mode, owner, shared }) =>
    (shared
      ? sh`own ${path}; [ -d ${path} ] || { [ -L ${path} ] || rm -f ${path}; mkdir -p ${path}; }`
      : sh`own ${path}; { [ -d ${path} ] && [ ! -L ${path} ]; } || { rm -f ${path}; mkdir -p ${path}; }`) +
    sh`; chown ${owner} ${path}; chmod ${mode} ${path}`,
};
