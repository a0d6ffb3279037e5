import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { SlipwayError } from '../base/errors.ts';
import { run } from './command.ts';
import { makeDisk } from './disk.ts';
import type { DiskOptions } from './disk.ts';
import { remove } from './down.ts';
import { copyFiles, refuseForeignFiles, writeFiles } from './files.ts';
import { isDirectory } from './fs.ts';
import { diskFrom, keysFrom, recordFrom, refuseTwins, requireLayers } from './from-snapshot.ts';
import { switchOn, waitForLogin } from './host.ts';
import { image } from './image.ts';
import type { ImageKind } from './image.ts';
import { checkName, layout } from './layout.ts';
import { withLock } from './lock.ts';
import { raiseMachineSettings } from './machine.ts';
import { freeNetwork, networkUp, routesOfMachine } from './network.ts';
import { allLabsLock, labLock, labRoot, snapshotRoot } from './paths.ts';
import { requireMachine } from './prerequisites.ts';
import { readRecord, readRecords, writeRecord } from './record.ts';
import type { LabRecord } from './record.ts';
import { readSnapshots, requireSnapshot } from './snapshot-record.ts';
import type { SnapshotRecord } from './snapshot-record.ts';

export interface LabUpOptions {
  /** Default `lab`. Several labs live side by side. */
  name?: string;
  /** How many hosts in all, control planes included; default 3. */
  hosts?: number;
  /** Default 1; these also run etcd. */
  controlPlanes?: number;
  /** How many of them, the last ones, are virtual machines with a kernel of their own; the others are containers. Default 0. */
  vms?: number | 'all';
  /** No way out of the lab's own network, as in an air-gapped hall. */
  offline?: boolean;
  /** Debian releases, one for each host; the last one counts for the rest. Default bookworm. */
  releases?: readonly string[];
  /** The label of a snapshot whose hosts, addresses and files it gets; nothing else of what the hosts are can be chosen then. */
  from?: string;
  /** Where cluster.yaml, known_hosts and the key are written; default the current directory. */
  directory?: string;
  /** Who logs in, default root. Anyone else gets sudo. */
  user?: string;
  /** What sudo asks `user` for; undefined: nothing. */
  sudoPassword?: string;
  onProgress?: (text: string) => void;
}

/** A lab that is up. All paths are absolute. */
export interface Lab {
  name: string;
  directory: string;
  clusterFile: string;
  identityFile: string;
  knownHosts: string;
  user: string;
  hosts: readonly { name: string; address: string; release: string; vm?: boolean }[];
}

/**
 * Makes a lab, or switches on what is off of one that exists. Returns when the user can log in to every host.
 * What a killed `up` left of this lab is removed first. Errors: LAB_EXISTS when it exists with other hosts, LAB_FILE_EXISTS rather than
 * overwrite a file that is not the lab's, LAB_BUSY, LAB_NAME, LAB_SIZE, LAB_RELEASE, LAB_USER, LAB_NOT_ROOT, LAB_NOT_LINUX, LAB_PREREQUISITES, LAB_NO_MIRROR,
 * LAB_NO_NETWORK, LAB_IMAGE_FAILED, LAB_HOST_SILENT, LAB_COMMAND_FAILED; from a snapshot LAB_SNAPSHOT_UNKNOWN, LAB_SNAPSHOT_IN_USE, LAB_SNAPSHOT_BROKEN.
 */
export async function labUp(options: LabUpOptions = {}): Promise<Lab> {
  const { name = 'lab' } = options;
  checkName(name);
  checkUser(options.user ?? 'root');
  await requireMachine({ vms: options.vms !== undefined });
  const record = await withLock(labLock(name), { wait: false, what: `lab "${name}"` }, async () => {
    const before = await readRecord(name);
    if (before?.state === 'up') return again(before, options);
    if (before !== undefined) await remove(before);
    return options.from === undefined ? make(name, options) : makeFrom(await requireSnapshot(options.from), name, options);
  });
  const { directory, user, hosts } = record;
  const at = (file: string): string => join(directory, file);
  return { name, directory, clusterFile: at('cluster.yaml'), identityFile: at('id_ed25519'), knownHosts: at('known_hosts'), user, hosts };
}

async function make(name: string, options: LabUpOptions): Promise<LabRecord> {
  const { onProgress = () => undefined } = options;
  const directory = resolve(options.directory ?? '.');
  await refuseForeignFiles(directory);
  const images = new Map<string, string>();
  for (const host of hostsOf(options)) if (!images.has(imageKey(host))) images.set(imageKey(host), await image(host, onProgress));
  const record = await announce(() => newRecord({ ...options, name, directory }, images));
  const ssh = join(labRoot(name), 'ssh');
  await mkdir(ssh, { recursive: true, mode: 0o700 });
  await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', `slipway-lab-${name}`, '-f', join(ssh, 'id_ed25519')], { bound: true });
  await networkUp(record);
  onProgress(`starting ${String(record.hosts.length)} ${record.hosts.length === 1 ? 'host' : 'hosts'}`);
  const disk: DiskOptions = { publicKey: await readFile(join(ssh, 'id_ed25519.pub'), 'utf8'), sudoPassword: options.sudoPassword };
  const keys = await Promise.all(
    record.hosts.map(async (host) => {
      const lines = await makeDisk(record, host, disk);
      await switchOn(record, host);
      return lines;
    }),
  );
  await writeFile(join(ssh, 'known_hosts'), keys.flat().join('\n') + '\n');
  await answer(record, onProgress);
  return complete(record, await writeFiles(record));
}

/** A lab whose hosts go on where those of the snapshot were stopped. */
async function makeFrom(snapshot: SnapshotRecord, name: string, options: LabUpOptions): Promise<LabRecord> {
  const { onProgress = () => undefined } = options;
  const directory = resolve(options.directory ?? '.');
  await refuseForeignFiles(directory, snapshot.files);
  await requireLayers(snapshot);
  const record = await announce(async () => {
    await refuseTwins(snapshot);
    return recordFrom(snapshot, { name, directory, directoryMade: !(await isDirectory(directory)), createdAt: new Date().toISOString() });
  });
  await networkUp(record);
  await keysFrom(record);
  await Promise.all(
    record.hosts.map(async (host) => {
      await diskFrom(record, host);
      await switchOn(record, host);
    }),
  );
  await answer(record, onProgress);
  return complete(record, await copyFiles(record, join(snapshotRoot(snapshot.label), 'files'), snapshot.files));
}

async function complete(record: LabRecord, files: LabRecord['files']): Promise<LabRecord> {
  const up: LabRecord = { ...record, state: 'up', files };
  await writeRecord(up);
  return up;
}

/** Writes down what will be made before any of it is; whatever is decided about it is decided while no other lab is. */
async function announce(decide: () => Promise<LabRecord>): Promise<LabRecord> {
  return withLock(allLabsLock(), { wait: true, what: 'all labs' }, async () => {
    const record = await decide();
    await writeRecord(record);
    await raiseMachineSettings({ forward: !record.offline });
    return record;
  });
}

/** With a number and a network that nobody has. */
async function newRecord(
  options: LabUpOptions & { name: string; directory: string },
  images: ReadonlyMap<string, string>,
): Promise<LabRecord> {
  const { name, directory, offline = false, user = 'root' } = options;
  const { number, prefix } = freeNetwork(
    await routesOfMachine(),
    [...(await readRecords()), ...(await readSnapshots()).map(({ lab }) => lab)].map((lab) => lab.number),
  );
  return {
    format: 1,
    name,
    state: 'making',
    createdAt: new Date().toISOString(),
    number,
    range: `${prefix}.0/24`,
    gateway: `${prefix}.1`,
    bridge: `slab${String(number)}`,
    offline,
    serviceCidr: '10.96.0.0/16',
    directory,
    directoryMade: !(await isDirectory(directory)),
    files: {},
    user,
    hosts: hostsOf(options, { number, prefix }).map((host) => ({ ...host, image: images.get(imageKey(host))! })),
  };
}

/** A lab that was made before: its hosts go on, also after the machine itself was restarted. */
async function again(record: LabRecord, options: LabUpOptions): Promise<LabRecord> {
  const same = (host: ImageKind & { name: string }): string => `${host.name} ${imageKey(host)}`;
  const asked = [options.hosts, options.controlPlanes, options.releases, options.vms].every((each) => each === undefined)
    ? record.hosts
    : hostsOf(options);
  if (
    asked.map(same).join() !== record.hosts.map(same).join() ||
    (options.user ?? record.user) !== record.user ||
    (options.from ?? record.from) !== record.from ||
    (options.offline ?? record.offline) !== record.offline
  ) {
    throw new SlipwayError(`lab "${record.name}" exists, and it is not the one that is asked for`, {
      code: 'LAB_EXISTS',
      category: 'usage',
      where: { file: record.directory },
      hint: `Remove it with \`slipway lab down --name ${record.name}\`, or choose another name.`,
    });
  }
  await withLock(allLabsLock(), { wait: true, what: 'all labs' }, () => raiseMachineSettings({ forward: !record.offline }));
  await networkUp(record);
  for (const host of record.hosts) await switchOn(record, host);
  await answer(record, options.onProgress ?? (() => undefined));
  return record;
}

async function answer(record: LabRecord, onProgress: (text: string) => void): Promise<void> {
  await Promise.all(
    record.hosts.map(async (host) => {
      await waitForLogin(record, host);
      onProgress(`${host.name} answers at ${host.address}`);
    }),
  );
}

const imageKey = ({ release, vm }: ImageKind): string => `${release} ${String(vm === true)}`;

function hostsOf(
  { hosts = 3, controlPlanes = 1, releases = ['bookworm'], vms }: LabUpOptions,
  network = { number: 0, prefix: '' },
): ReturnType<typeof layout> {
  return layout({ hosts, controlPlanes, releases, vms: vms === 'all' ? hosts : vms, ...network });
}

function checkUser(user: string): void {
  if (/^[a-z_][a-z0-9_-]{0,30}$/.test(user)) return;
  throw new SlipwayError(`"${user}" cannot be the name of a user`, {
    code: 'LAB_USER',
    category: 'usage',
    hint: 'Use lower-case letters, digits, dashes and underscores.',
  });
}
