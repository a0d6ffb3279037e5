import { readFile, readdir, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { SlipwayError } from '../base/errors.ts';
import type { Role } from '../config/cluster.ts';
import { labRoot, stateRoot } from './paths.ts';
import { writeWhole } from './fs.ts';

/** What `up` notes before it makes anything, so that `down` finds all of it after any interruption. */
export interface LabRecord {
  format: 1;
  name: string;
  /** `making` until every host has answered. */
  state: 'making' | 'up';
  createdAt: string;
  /** The third number of the lab's 10.x network, and part of the names of its links. */
  number: number;
  range: string;
  gateway: string;
  bridge: string;
  offline: boolean;
  serviceCidr: string;
  directory: string;
  directoryMade: boolean;
  /** Files written into `directory`, with the sha256 of what was written. */
  files: Record<string, string>;
  user: string;
  /** The snapshot that it was made from. */
  from?: string;
  hosts: readonly LabHostRecord[];
}

export interface LabHostRecord {
  name: string;
  address: string;
  release: string;
  roles: readonly Role[];
  /** The name of the nspawn machine; its link on this side is `vb-` and this. */
  machine: string;
  /** The directory of its image. */
  image: string;
  /** A virtual machine instead of a container. */
  vm?: boolean;
  /** Directories of snapshots that lie over the image, the topmost first; none: it was made from the image. */
  layers?: readonly string[];
}

export const kindOf = ({ vm }: Pick<LabHostRecord, 'vm'>): 'container' | 'virtual machine' =>
  vm === true ? 'virtual machine' : 'container';

function recordFile(name: string): string {
  return join(labRoot(name), 'lab.json');
}

export async function readRecord(name: string): Promise<LabRecord | undefined> {
  try {
    return JSON.parse(await readFile(recordFile(name), 'utf8')) as LabRecord;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

export async function writeRecord(record: LabRecord): Promise<void> {
  await mkdir(labRoot(record.name), { recursive: true, mode: 0o755 });
  await writeWhole(recordFile(record.name), JSON.stringify(record, null, 2) + '\n');
}

/** All labs of this machine, by name. */
export async function readRecords(): Promise<LabRecord[]> {
  let names: string[];
  try {
    names = await readdir(stateRoot());
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  const records = await Promise.all(names.sort().map((name) => readRecord(name).catch(() => undefined)));
  return records.filter((record) => record !== undefined);
}

/** The record of a lab that must exist; LAB_UNKNOWN otherwise. */
export async function requireRecord(name: string): Promise<LabRecord> {
  const record = await readRecord(name);
  if (record !== undefined) return record;
  throw new SlipwayError(`there is no lab "${name}" on this machine`, {
    code: 'LAB_UNKNOWN',
    category: 'usage',
    hint: `Make it with \`slipway lab up --name ${name}\`, or see \`slipway lab status\`.`,
  });
}

export function requireHost(record: LabRecord, host: string): LabHostRecord {
  const found = record.hosts.find((h) => h.name === host);
  if (found !== undefined) return found;
  throw new SlipwayError(`lab "${record.name}" has no host "${host}"`, {
    code: 'LAB_HOST_UNKNOWN',
    category: 'usage',
    hint: `Its hosts: ${record.hosts.map((h) => h.name).join(', ')}.`,
  });
}
