import { createHash } from 'node:crypto';
import { copyFile, mkdir, readFile, rmdir, stat, writeFile, chmod, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { SlipwayError } from '../base/errors.ts';
import { cgroups, destroyGroup, groupName } from './cgroups.ts';
import { run } from './command.ts';
import { makeDisk, switchOff, switchOn, waitForSsh } from './host.ts';
import { image } from './image.ts';
import { clusterFile, layout } from './layout.ts';
import { withLock } from './lock.ts';
import { raiseMachineSettings, restoreMachineSettings } from './machine.ts';
import { freeNumber, networkDown, networkUp } from './network.ts';
import { labRoot, stateRoot } from './paths.ts';
import { requireMachine } from './prerequisites.ts';
import { readRecord, readRecords, writeRecord } from './record.ts';
import type { LabRecord } from './record.ts';

export interface LabUpOptions {
  name?: string;
  /** How many hosts in all, control planes included. */
  hosts?: number;
  controlPlanes?: number;
  /** No way out of the lab's own network, as in an air-gapped hall. */
  offline?: boolean;
  /** Debian releases, one for each host; the last one counts for the rest. */
  releases?: readonly string[];
  /** Where cluster.yaml, known_hosts and the key are written. */
  directory?: string;
  /** Who logs in. Anyone but root gets sudo. */
  user?: string;
  /** The password that sudo asks `user` for; undefined: it asks for none. */
  sudoPassword?: string;
  onProgress?: (text: string) => void;
}

export async function labUp(options: LabUpOptions = {}): Promise<LabRecord> {
  const { name = 'lab' } = options;
  checkName(name);
  await requireMachine();
  return withLock(join(stateRoot(), `.${name}.lock`), { wait: false, what: `lab "${name}"` }, async () => {
    const before = await readRecord(name);
    if (before?.state === 'up') {
      throw new SlipwayError(`lab "${name}" exists`, {
        code: 'LAB_EXISTS',
        category: 'usage',
        hint: `\`slipway lab down --name ${name}\` removes it.`,
      });
    }
    if (before !== undefined) await remove(before);
    return make(name, options);
  });
}

async function make(name: string, options: LabUpOptions): Promise<LabRecord> {
  const { onProgress = () => undefined, hosts = 3, controlPlanes = 1, releases = ['bookworm'], offline = false } = options;
  const images = new Map<string, string>();
  for (const release of new Set(layout({ hosts, controlPlanes, releases, number: 1 }).map((h) => h.release)))
    images.set(release, await image(release, onProgress));
  const directory = resolve(options.directory ?? '.');
  const record = await withLock(join(stateRoot(), '.numbers.lock'), { wait: true, what: 'the numbers of labs' }, async () => {
    const number = await freeNumber((await readRecords()).map((lab) => lab.number));
    const network = `10.86.${String(number)}`;
    const created: LabRecord = {
      ...{
        format: 1,
        name,
        state: 'making',
        createdAt: new Date().toISOString(),
        number,
        range: `${network}.0/24`,
        gateway: `${network}.1`,
      },
      ...{ bridge: `slab${String(number)}`, offline, serviceCidr: '10.96.0.0/16', directory, user: options.user ?? 'root' },
      directoryMade: !(await stat(directory).then(
        (s) => s.isDirectory(),
        () => false,
      )),
      files: {},
      hosts: layout({ hosts, controlPlanes, releases, number }).map((host) => ({ ...host, image: images.get(host.release)! })),
    };
    await writeRecord(created);
    await raiseMachineSettings({ forward: !offline });
    return created;
  });
  const ssh = join(labRoot(name), 'ssh');
  await mkdir(ssh, { recursive: true, mode: 0o700 });
  await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', `slipway-lab-${name}`, '-f', join(ssh, 'id_ed25519')]);
  const publicKey = await readFile(join(ssh, 'id_ed25519.pub'), 'utf8');
  await networkUp(record);
  onProgress(`starting ${String(record.hosts.length)} hosts`);
  const knownHosts = await Promise.all(
    record.hosts.map(async (host) => {
      const lines = await makeDisk(record, host, { publicKey, sudoPassword: options.sudoPassword });
      await switchOn(record, host);
      return lines;
    }),
  );
  await writeFile(join(ssh, 'known_hosts'), knownHosts.flat().join('\n') + '\n');
  await Promise.all(
    record.hosts.map(async (host) => {
      await waitForSsh(record, host);
      onProgress(`${host.name} answers at ${host.address}`);
    }),
  );
  const done: LabRecord = { ...record, state: 'up', files: await writeFiles(record, ssh) };
  await writeRecord(done);
  return done;
}

async function writeFiles(record: LabRecord, ssh: string): Promise<Record<string, string>> {
  await mkdir(record.directory, { recursive: true });
  const files: Record<string, string> = {};
  await writeFile(join(record.directory, 'cluster.yaml'), clusterFile(record));
  for (const file of ['id_ed25519', 'id_ed25519.pub', 'known_hosts']) await copyFile(join(ssh, file), join(record.directory, file));
  await chmod(join(record.directory, 'id_ed25519'), 0o600);
  for (const file of ['cluster.yaml', 'id_ed25519', 'id_ed25519.pub', 'known_hosts'])
    files[file] = await digest(join(record.directory, file));
  return files;
}

/** Removes a lab, or what there is of it; a lab that does not exist is no error. */
export async function labDown(options: { name?: string; onProgress?: (text: string) => void } = {}): Promise<void> {
  const { name = 'lab' } = options;
  checkName(name);
  await requireMachine();
  await withLock(join(stateRoot(), `.${name}.lock`), { wait: false, what: `lab "${name}"` }, async () => {
    const record = await readRecord(name);
    if (record !== undefined) await remove(record);
    else await rm(labRoot(name), { recursive: true, force: true });
  });
  await rm(join(stateRoot(), `.${name}.lock`), { force: true });
}

async function remove(lab: LabRecord): Promise<void> {
  await Promise.all(lab.hosts.map((host) => switchOff(lab, host)));
  const groups = await cgroups();
  for (const host of lab.hosts) await destroyGroup(groups, groupName(lab.name, host.name));
  await networkDown(lab);
  for (const [file, written] of Object.entries(lab.files)) {
    const path = join(lab.directory, file);
    if ((await digest(path).catch(() => '')) === written) await rm(path, { force: true });
  }
  if (lab.directoryMade) await rmdir(lab.directory).catch(() => undefined);
  await withLock(join(stateRoot(), '.numbers.lock'), { wait: true, what: 'the numbers of labs' }, async () => {
    await rm(labRoot(lab.name), { recursive: true, force: true });
    if ((await readRecords()).length === 0) await restoreMachineSettings();
  });
}

async function digest(file: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(file))
    .digest('hex');
}

function checkName(name: string): void {
  if (/^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/.test(name)) return;
  throw new SlipwayError(`"${name}" cannot be the name of a lab`, {
    code: 'LAB_NAME',
    category: 'usage',
    hint: 'Use at most 40 lower-case letters, digits and dashes.',
  });
}
