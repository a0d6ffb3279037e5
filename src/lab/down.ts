import { rmdir } from 'node:fs/promises';
import { removeFiles } from './files.ts';
import { removeTree } from './fs.ts';
import { switchOff } from './host.ts';
import { removePartialImages } from './image.ts';
import { checkName } from './layout.ts';
import { withLock } from './lock.ts';
import { restoreMachineSettings } from './machine.ts';
import { networkDown } from './network.ts';
import { allLabsLock, labLock, labRoot, stateRoot } from './paths.ts';
import { requireMachine } from './prerequisites.ts';
import { removePartialSnapshots } from './snapshot.ts';
import { readRecord, readRecords } from './record.ts';
import type { LabRecord } from './record.ts';

export interface LabDownOptions {
  /** Default `lab`. */
  name?: string;
  onProgress?: (text: string) => void;
}

/**
 * Removes a lab, or whatever a killed run left of it: processes, links, rules, disks, and the files it wrote unless somebody changed them.
 * A lab that does not exist is no error. Images stay in the cache. Errors: LAB_BUSY, LAB_HOST_STUCK, and those of the machine.
 */
export async function labDown(options: LabDownOptions = {}): Promise<void> {
  const { name = 'lab', onProgress = () => undefined } = options;
  checkName(name);
  await requireMachine();
  await withLock(labLock(name), { wait: false, what: `lab "${name}"` }, async () => {
    const record = await readRecord(name);
    if (record !== undefined) onProgress(`removing ${String(record.hosts.length)} hosts`);
    await (record === undefined ? removeTree(labRoot(name)) : remove(record));
  });
  await removePartialImages();
  await removePartialSnapshots();
  await removeIfEmpty(stateRoot());
}

/** Removes everything that the record names, as far as it is there. The caller holds the lab's lock. */
export async function remove(record: LabRecord): Promise<void> {
  await Promise.all(record.hosts.map((host) => switchOff(record, host)));
  await networkDown(record);
  await removeFiles(record);
  await withLock(allLabsLock(), { wait: true, what: 'all labs' }, async () => {
    await removeTree(labRoot(record.name));
    if ((await readRecords()).length === 0) await restoreMachineSettings();
  });
}

async function removeIfEmpty(directory: string): Promise<void> {
  try {
    await rmdir(directory);
  } catch (error) {
    if (!['ENOENT', 'ENOTEMPTY'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}
