import { cp, mkdir, readdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SlipwayError } from '../base/errors.ts';
import { run } from './command.ts';
import { keptFiles } from './files.ts';
import { checkLabel } from './layout.ts';
import { shutDown, switchOn, waitForLogin } from './host.ts';
import { copyDisk, removeTree } from './fs.ts';
import { unlessBusy, withLock } from './lock.ts';
import { allLabsLock, hostRoot, labLock, labRoot, snapshotRoot, snapshotsRoot, snapshotLock } from './paths.ts';
import { requireMachine } from './prerequisites.ts';
import { readRecords, requireRecord } from './record.ts';
import type { LabRecord } from './record.ts';
import { readSnapshot, readSnapshots, requireSnapshot, snapshotFile } from './snapshot-record.ts';
import type { SnapshotRecord } from './snapshot-record.ts';

export interface LabSnapshotOptions {
  /** The lab; default `lab`. */
  name?: string;
  label: string;
  onProgress?: (text: string) => void;
}

/**
 * Shuts the hosts of a lab down, keeps their disks, the lab's keys, the cluster file, the lock file and the state directory under a label, and
 * switches the hosts on again. Errors: LAB_SNAPSHOT_EXISTS, LAB_LABEL, LAB_UNKNOWN, LAB_INCOMPLETE, LAB_HOST_STUCK, LAB_BUSY, and those of the machine.
 */
export async function labSnapshot({ name = 'lab', label, onProgress = () => undefined }: LabSnapshotOptions): Promise<SnapshotRecord> {
  checkLabel(label);
  await requireMachine();
  return withLock(labLock(name), { wait: false, what: `lab "${name}"` }, () =>
    withLock(snapshotLock(label), { wait: false, what: `snapshot "${label}"` }, async () => {
      const lab = await requireRecord(name);
      if (lab.state !== 'up') throw incomplete(lab);
      if ((await readSnapshot(label)) !== undefined) throw exists(label);
      onProgress(`shutting down ${String(lab.hosts.length)} hosts`);
      await Promise.all(lab.hosts.map((host) => shutDown(lab, host)));
      onProgress('copying their disks');
      const record = await keep(lab, label);
      for (const host of lab.hosts) await switchOn(lab, host);
      await Promise.all(lab.hosts.map((host) => waitForLogin(lab, host)));
      return record;
    }),
  );
}

/** Written beside its place and moved there whole. */
async function keep(lab: LabRecord, label: string): Promise<SnapshotRecord> {
  const place = snapshotRoot(label);
  const partial = `${place}.partial`;
  await removeTree(partial);
  try {
    for (const { name } of lab.hosts) await mkdir(join(partial, 'hosts', name), { recursive: true });
    await Promise.all(
      lab.hosts.map(({ name, vm }) => {
        const from = hostRoot(lab.name, name);
        const disk = vm === true ? ['disk.img'] : ['upper', 'var'];
        return copyDisk(
          disk.map((each) => join(from, each)),
          join(partial, 'hosts', name),
        );
      }),
    );
    await cp(join(labRoot(lab.name), 'ssh'), join(partial, 'ssh'), { recursive: true });
    const files = await keptFiles(lab.directory);
    await mkdir(join(partial, 'files'));
    for (const file of files)
      await cp(join(lab.directory, file), join(partial, 'files', file), { recursive: true, preserveTimestamps: true });
    const record: SnapshotRecord = { format: 1, label, createdAt: new Date().toISOString(), lab, files };
    await writeFile(snapshotFile(partial), JSON.stringify(record, null, 2) + '\n', { flush: true });
    await rename(partial, place);
    return record;
  } finally {
    await removeTree(partial);
  }
}

export interface LabSnapshotStatus {
  label: string;
  /** The lab that it was taken of. */
  lab: string;
  createdAt: string;
  hosts: readonly string[];
  /** Bytes on this machine's disk. */
  bytes: number;
  /** Labs whose hosts stand on it. */
  usedBy: readonly string[];
}

/** All snapshots of this machine, by label. */
export async function labSnapshots(): Promise<LabSnapshotStatus[]> {
  const labs = await readRecords();
  const records = await readSnapshots();
  return Promise.all(
    records.map(async ({ label, createdAt, lab }) => ({
      ...{ label, lab: lab.name, createdAt },
      hosts: lab.hosts.map(({ name }) => name),
      bytes: Number((await run('du', ['--summarize', '--block-size=1', snapshotRoot(label)])).split(/\s/)[0]),
      usedBy: labs.filter((each) => standsOn(each, label)).map((each) => each.name),
    })),
  );
}

/** Removes a snapshot. Errors: LAB_SNAPSHOT_UNKNOWN, LAB_SNAPSHOT_IN_USE while hosts of a lab, or another snapshot, stand on it. */
export async function removeSnapshot(label: string): Promise<void> {
  checkLabel(label);
  await requireMachine();
  await withLock(snapshotLock(label), { wait: false, what: `snapshot "${label}"` }, async () => {
    const partial = `${snapshotRoot(label)}.partial`;
    // Labs are announced under this lock: none can begin to stand on it meanwhile.
    await withLock(allLabsLock(), { wait: true, what: 'all labs' }, async () => {
      await requireSnapshot(label);
      const labs = (await readRecords()).filter((lab) => standsOn(lab, label)).map(({ name }) => `lab "${name}"`);
      const others = (await readSnapshots()).filter(({ lab }) => standsOn(lab, label)).map((other) => `snapshot "${other.label}"`);
      if (labs.length + others.length > 0) throw inUse(label, [...labs, ...others]);
      await rename(snapshotRoot(label), partial);
    });
    await removeTree(partial);
  });
}

/** Removes what killed runs left of snapshots; those that another run is making stay. */
export async function removePartialSnapshots(): Promise<void> {
  for (const name of await readdir(snapshotsRoot()).catch(() => [])) {
    const label = /^(.+)\.partial$/.exec(name)?.[1];
    if (label === undefined) continue;
    await unlessBusy(snapshotLock(label), () => removeTree(join(snapshotsRoot(), name)));
  }
}

const standsOn = (lab: LabRecord, label: string): boolean =>
  lab.hosts.some(({ layers = [] }) => layers.some((layer) => layer.startsWith(`${snapshotRoot(label)}/`)));

function exists(label: string): SlipwayError {
  return new SlipwayError(`there is a snapshot "${label}" already`, {
    code: 'LAB_SNAPSHOT_EXISTS',
    category: 'usage',
    hint: `Choose another label, or remove it: \`slipway lab snapshots --remove ${label}\`.`,
  });
}

function inUse(label: string, by: readonly string[]): SlipwayError {
  return new SlipwayError(`snapshot "${label}" is in use: ${by.join(', ')} stand on it`, {
    code: 'LAB_SNAPSHOT_IN_USE',
    category: 'refused',
    hint: 'Remove those first.',
  });
}

function incomplete({ name }: LabRecord): SlipwayError {
  return new SlipwayError(`lab "${name}" is not complete`, {
    code: 'LAB_INCOMPLETE',
    category: 'refused',
    hint: `An \`up\` was killed: \`slipway lab up --name ${name}\` begins again.`,
  });
}
