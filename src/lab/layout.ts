import type { Role } from '../config/cluster.ts';
import { SlipwayError } from '../base/errors.ts';
import type { LabHostRecord, LabRecord } from './record.ts';

export interface LayoutOptions {
  hosts: number;
  controlPlanes: number;
  releases: readonly string[];
  /** So many of them, the last ones, are virtual machines. Default 0. */
  vms?: number | undefined;
  number: number;
  /** The lab's network without its last number, e.g. 10.86.1. */
  prefix: string;
}

const limits = { controlPlanes: 9, workers: 200 };

/** The name of a host's link on this machine, given by nspawn. */
export function hostLink(machine: string): string {
  return `vb-${machine}`;
}

/** Names, addresses and roles of a lab's hosts: cp-1 is .11, w-1 is .21. LAB_SIZE for numbers that make no lab, LAB_RELEASE for what cannot be a release. */
export function layout(options: LayoutOptions): Omit<LabHostRecord, 'image'>[] {
  const { hosts, controlPlanes, releases, vms = 0, number, prefix } = options;
  const workers = hosts - controlPlanes;
  if (
    ![hosts, controlPlanes, vms].every(Number.isInteger) ||
    vms > hosts ||
    controlPlanes < 0 ||
    workers < 0 ||
    hosts < 1 ||
    controlPlanes > limits.controlPlanes ||
    workers > limits.workers
  ) {
    throw new SlipwayError(`a lab of ${String(hosts)} hosts with ${String(controlPlanes)} control planes cannot be made`, {
      code: 'LAB_SIZE',
      category: 'usage',
      hint: `At least one host, at most ${String(limits.controlPlanes)} control planes and ${String(limits.workers)} workers.`,
    });
  }
  const strange = releases.find((release) => !/^[a-z]+$/.test(release));
  if (strange !== undefined) {
    throw new SlipwayError(`"${strange}" is no name of a Debian release`, {
      code: 'LAB_RELEASE',
      category: 'usage',
      hint: 'For instance bookworm or trixie.',
    });
  }
  return Array.from({ length: hosts }, (_, i) => {
    const worker = i >= controlPlanes;
    const name = worker ? `w-${String(i - controlPlanes + 1)}` : `cp-${String(i + 1)}`;
    const roles: Role[] = worker ? ['worker'] : ['control-plane', 'etcd'];
    return {
      name,
      address: `${prefix}.${String(worker ? 21 + i - controlPlanes : 11 + i)}`,
      release: releases[i] ?? releases.at(-1) ?? 'bookworm',
      roles,
      machine: `l${String(number)}-${name}`,
      ...(i >= hosts - vms ? { vm: true } : {}),
    };
  });
}

/** The cluster file for a lab; paths are relative to it. */
export function clusterFile(lab: Pick<LabRecord, 'name' | 'user' | 'hosts'>): string {
  const width = Math.max(...lab.hosts.map((host) => host.name.length));
  const hosts = lab.hosts.map((host) => {
    const name = `${host.name},`.padEnd(width + 1);
    const role = host.roles.includes('control-plane') ? '[control-plane, etcd]' : '[worker]';
    return `    - { name: ${name} address: ${host.address}, roles: ${role} }`;
  });
  return `# yaml-language-server: $schema=https://slipway.dev/schema/v1/cluster.json
apiVersion: slipway.dev/v1
kind: Cluster
metadata: { name: ${lab.name} }
spec:
  ssh: { user: ${lab.user}, identityFile: ./id_ed25519, knownHosts: ./known_hosts }
  hosts:
${hosts.join('\n')}
`;
}

/** LAB_NAME unless the name can be part of a directory's, a unit's and a control group's name. */
export function checkName(name: string): void {
  checkWord(name, { most: 40, what: 'the name of a lab', code: 'LAB_NAME' });
}

/** LAB_LABEL unless it can be the name of a directory of a snapshot. */
export function checkLabel(label: string): void {
  checkWord(label, { most: 64, what: 'the label of a snapshot', code: 'LAB_LABEL' });
}

function checkWord(word: string, { most, what, code }: { most: number; what: string; code: string }): void {
  if (word.length <= most && /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(word)) return;
  throw new SlipwayError(`"${word}" cannot be ${what}`, {
    code,
    category: 'usage',
    hint: `Use at most ${String(most)} lower-case letters, digits and dashes.`,
  });
}
