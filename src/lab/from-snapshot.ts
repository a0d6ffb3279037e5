import { chmod, cp, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { SlipwayError } from '../base/errors.ts';
import { copyDisk, isDirectory } from './fs.ts';
import { isFree, routesOfMachine } from './network.ts';
import { hostRoot, labRoot, snapshotRoot } from './paths.ts';
import { readRecords } from './record.ts';
import type { LabHostRecord, LabRecord } from './record.ts';
import type { SnapshotRecord } from './snapshot-record.ts';

/** The lab of a snapshot under a name and in a directory of its own. Its addresses are those that the hosts had: certificates and members of etcd name them. */
export function recordFrom(
  snapshot: SnapshotRecord,
  own: Pick<LabRecord, 'name' | 'directory' | 'directoryMade' | 'createdAt'>,
): LabRecord {
  const place = join(snapshotRoot(snapshot.label), 'hosts');
  // The disk of a virtual machine is a copy that stands on nothing.
  const hosts = snapshot.lab.hosts.map((host) =>
    host.vm === true ? host : { ...host, layers: [join(place, host.name, 'upper'), ...(host.layers ?? [])] },
  );
  return { ...snapshot.lab, ...own, state: 'making', files: {}, from: snapshot.label, hosts };
}

/** LAB_SNAPSHOT_IN_USE while another lab has these addresses, LAB_NO_NETWORK while the machine itself has. The caller holds the lock of all labs. */
export async function refuseTwins({ label, lab }: SnapshotRecord): Promise<void> {
  const twin = (await readRecords()).find(({ number }) => number === lab.number);
  if (twin !== undefined) {
    throw new SlipwayError(`lab "${twin.name}" has the addresses of snapshot "${label}", and no two labs can have the same`, {
      code: 'LAB_SNAPSHOT_IN_USE',
      category: 'refused',
      hint: `Take it down first: \`slipway lab down --name ${twin.name}\`.`,
    });
  }
  if (isFree(await routesOfMachine(), lab.range.replace(/\.0\/24$/, ''))) return;
  throw new SlipwayError(`a route of this machine leads to ${lab.range}, the network of snapshot "${label}"`, {
    code: 'LAB_NO_NETWORK',
    category: 'refused',
    hint: 'See `ip -4 route show table all`. The hosts of a snapshot cannot have other addresses than they had.',
  });
}

/** LAB_SNAPSHOT_BROKEN when an image or another snapshot that the hosts stand on has gone. */
export async function requireLayers({ label, lab }: SnapshotRecord): Promise<void> {
  for (const layer of lab.hosts.flatMap(({ layers = [], image }) => [...layers, image])) {
    if (await isDirectory(layer)) continue;
    throw new SlipwayError(`snapshot "${label}" stands on ${layer}, which is gone`, {
      code: 'LAB_SNAPSHOT_BROKEN',
      category: 'failed',
      where: { file: layer },
      hint: `Remove it and make it anew: \`slipway lab snapshots --remove ${label}\`.`,
    });
  }
}

/** The disk of a host as it was kept. What containers' layers lie on cannot itself be a layer, so /var is a copy. */
export async function diskFrom(lab: LabRecord, host: LabHostRecord): Promise<void> {
  const directory = hostRoot(lab.name, host.name);
  const kept = join(snapshotRoot(lab.from!), 'hosts', host.name);
  const copy = (name: string): Promise<void> => copyDisk([join(kept, name)], join(directory, name));
  await mkdir(directory, { recursive: true });
  if (host.vm === true) return copy('disk.img');
  for (const name of ['root', 'work', 'upper']) await mkdir(join(directory, name));
  await chmod(join(directory, 'upper'), 0o755);
  await copy('var');
}

export async function keysFrom(lab: LabRecord): Promise<void> {
  await cp(join(snapshotRoot(lab.from!), 'ssh'), join(labRoot(lab.name), 'ssh'), { recursive: true });
}
