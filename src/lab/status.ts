import { cgroups, groupOf, isFrozen, memoryOf } from './cgroups.ts';
import { isOn } from './host.ts';
import { linkIsUp, refusedPackets } from './network.ts';
import type { Refused } from './network.ts';
import { kindOf, readRecord, readRecords } from './record.ts';
import type { LabHostRecord, LabRecord } from './record.ts';
import { greets } from './ssh.ts';

export interface LabStatus {
  name: string;
  /** `incomplete`: an `up` is at work, or was killed; `lab up` begins again and `lab down` removes it. */
  state: 'up' | 'incomplete';
  createdAt: string;
  directory: string;
  range: string;
  offline: boolean;
  /** For an offline lab: packets of its hosts that wanted to leave it, since it was made. */
  refused: Refused[];
  user: string;
  hosts: LabHostStatus[];
}

export interface LabHostStatus {
  name: string;
  address: string;
  release: string;
  kind: ReturnType<typeof kindOf>;
  roles: readonly string[];
  power: 'on' | 'off' | 'paused';
  network: 'connected' | 'cut off';
  ssh: 'answers' | 'silent';
  /** Anonymous memory of all its processes; undefined where the machine does not account for it. */
  memoryBytes: number | undefined;
}

/** Every lab of this machine, or the one with this name: what was made, and what each host is doing now. No lab is an empty list. */
export async function labStatus(options: { name?: string } = {}): Promise<LabStatus[]> {
  const records = options.name === undefined ? await readRecords() : [await readRecord(options.name)].filter((r) => r !== undefined);
  return Promise.all(
    records.map(async (record) => {
      const { name, createdAt, directory, range, offline, user } = record;
      const hosts = await Promise.all(record.hosts.map((host) => hostStatus(record, host)));
      return {
        name,
        state: record.state === 'up' ? ('up' as const) : ('incomplete' as const),
        createdAt,
        directory,
        range,
        offline,
        // Without its rules, as a killed `down` leaves it, nothing was counted.
        refused: await refusedPackets(record).catch(() => []),
        user,
        hosts,
      };
    }),
  );
}

async function hostStatus(lab: LabRecord, host: LabHostRecord): Promise<LabHostStatus> {
  const groups = await cgroups();
  const group = groupOf(groups, lab.name, host.name);
  const [on, frozen, connected, answers, memoryBytes] = await Promise.all([
    isOn(lab, host),
    isFrozen(groups, group),
    linkIsUp(host),
    greets(host.address),
    memoryOf(groups, group),
  ]);
  const { name, address, release, roles } = host;
  return {
    ...{ name, address, release, roles, kind: kindOf(host) },
    power: on ? (frozen ? 'paused' : 'on') : 'off',
    network: connected === true ? 'connected' : 'cut off',
    ssh: answers ? 'answers' : 'silent',
    memoryBytes: on ? memoryBytes : undefined,
  };
}
