import { createHash } from 'node:crypto';
import { basename, dirname } from 'node:path';
import { bug } from '../../base/errors.ts';
import { sh } from '../../base/quote.ts';
import type { Content, FileAction } from '../step.ts';
import type { Kind } from './action.ts';

export function sha256(bytes: string | Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Whether this file is a unit of systemd, whose state before we came is noted. */
function isUnitFile(path: string): boolean {
  return /\/systemd\/system\/[^/]+$/.test(path);
}

/**
 * Never half a file: written beside the target with its final mode and owner, flushed, renamed over it. Bytes that only the host has are copied from the
 * file that has another mode or owner: never through a link, and no other name of that file is touched.
 */
export const file: Kind<FileAction> = {
  reason({ path, mode, owner, content, once }, state) {
    const found = state.files[path];
    if (!found && state.directories[path]) return 'is a directory, should be a file';
    if (!found) return state.links[path] === undefined ? 'missing' : once ? undefined : 'is a link, should be a file';
    if (once) return undefined;
    const wanted = 'text' in content ? sha256(content.text) : content.sha256;
    if (wanted === undefined) return 'new content, known after issue';
    if (found.sha256 !== wanted) return 'content differs';
    if (found.mode !== mode) return `mode ${found.mode}, should be ${mode}`;
    if (found.owner !== owner) return `owner ${found.owner}, should be ${owner}`;
    return undefined;
  },
  shell({ path, mode, owner, content }, [bytes]) {
    const temporary = `${path}.slipway-new`;
    const chmod = mode === '0600' ? '' : sh`chmod ${mode} ${temporary}; `;
    const chown = owner === 'root:root' ? '' : sh`chown ${owner} ${temporary}; `;
    return (
      // systemd reads /usr/lib/systemd/system everywhere; a Debian that keeps /lib apart from /usr/lib (11, when it was upgraded) may not have it.
      (isUnitFile(path)
        ? sh`note units ${basename(path)}; [ -d ${dirname(path)} ] || { note made ${dirname(path)}; mkdir -p ${dirname(path)}; }; `
        : '') +
      sh`own ${path}; rm -f ${temporary}; (umask 077; : >${temporary}); ` +
      chown +
      chmod +
      (bytes === undefined ? copied(path, { temporary, content }) : sh`head -c ${bytes.length} >${temporary}`) +
      sh`; sync ${temporary}; vacate ${path} && mv -fT ${temporary} ${path} || { rm -f ${temporary}; exit 1; }`
    );
  },
};

function copied(path: string, { temporary, content }: { temporary: string; content: Content }): string {
  if (!('ref' in content) || content.sha256 === undefined) throw bug(`nobody has the bytes of ${path}`);
  return sh`[ -f ${path} ] && [ ! -L ${path} ] && cat ${path} >${temporary} && echo ${`${content.sha256}  ${temporary}`} | sha256sum -c --status || { rm -f ${temporary}; echo ${`${path} has changed meanwhile: run the same command again`}; exit 1; }`;
}
