import { sh } from '../../base/quote.ts';
import { OPT } from '../state.ts';
import type { ArtefactAction } from '../step.ts';
import type { Kind } from './action.ts';

/** Bytes that arrived as a compressed tar. Its size and digest come from the archive that is sent: see deliverScript. */
export const artefact: Kind<ArtefactAction> = {
  reason({ name, version, digest }, state) {
    const found = state.artefacts[`${name}/${version}`];
    if (digest === undefined) return 'digest known after fetch';
    if (found === undefined) return 'missing or changed';
    return found === digest ? undefined : 'not the locked content';
  },
  shell: () => {
    throw new Error('artefacts are delivered by deliverScript');
  },
};

/** What has arrived but is not complete; nothing in it outlives the run. */
export const INCOMING = `${OPT}/.incoming`;

export interface Delivery {
  name: string;
  version: string;
  /** Content digest of the unpacked files. */
  digest: string;
  /** Of the archive. */
  size: number;
  sha256: string;
  compression: 'zstd' | 'gzip';
}

/**
 * Receives one archive from standard input, checks every byte of it against its digest, unpacks it beside its place and renames it in.
 * Unpacking goes on in the background while the next archive arrives; `report` are the shell commands that tell the outcome and end the shell:
 * an archive that could not be written has left the rest of itself in the stream.
 */
export function deliverScript(delivery: Delivery, report: { ok: string; fail: string }): string {
  const place = `${OPT}/${delivery.name}/${delivery.version}`;
  const incoming = `${INCOMING}/${delivery.name}-${delivery.version}`;
  const unpack = delivery.compression === 'zstd' ? 'zstd -dcq' : 'gzip -dc';
  return (
    sh`
own ${place}; mkdir -p ${incoming}
head -c ${delivery.size} >${`${incoming}/.archive`} || {
rm -rf ${incoming}; wait
` +
    `${report.fail}
}
{
` +
    sh`
(
set -e
cd ${incoming}
echo ${`${delivery.sha256}  .archive`} | sha256sum -c --status || { echo ${`${delivery.name}: the bytes that arrived are not the ones that were sent`}; exit 1; }
mkdir new
` +
    `${unpack} .archive | tar -xf - -C new --no-same-owner\n` +
    sh`
{ echo digest ${delivery.digest}; find new -type f -printf '%s %T@ %P\n'; } >.manifest.new
mv .manifest.new new/.manifest
chmod 0755 new
mkdir -p ${`${OPT}/${delivery.name}`}
rm -rf ${`${place}.old`}
[ ! -e ${place} ] || mv -T ${place} ${`${place}.old`}
mv -T new ${place}
rm -rf ${`${place}.old`} ${incoming}
)
if [ $? = 0 ]; then ` +
    report.ok +
    sh`; else rm -rf ${incoming}; ` +
    `${report.fail}; fi\n} </dev/null &`
  );
}
