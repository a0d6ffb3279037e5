import { cgroups, freeze, groupOf } from './cgroups.ts';
import { hostOff, isOn, restart, switchOff, switchOn, waitForLogin } from './host.ts';
import { setLink } from './network.ts';
import { requireRoot } from './prerequisites.ts';
import { requireHost, requireRecord } from './record.ts';
import type { LabHostRecord, LabRecord } from './record.ts';

/** One host of a lab. */
export interface HostRef {
  /** The lab's name; default `lab`. */
  name?: string;
  host: string;
}

/** Power loss: every process of the host is gone at once, its disk stays. Off already is fine. */
export async function powerOff(ref: HostRef): Promise<void> {
  const { lab, host } = await resolve(ref);
  await switchOff(lab, host);
}

/** Returns when the host lets the lab's user in. On already is fine. */
export async function powerOn(ref: HostRef): Promise<void> {
  const { lab, host } = await resolve(ref);
  await switchOn(lab, host);
  await waitForLogin(lab, host);
}

/** An orderly reboot, as `systemctl reboot` does it; returns when the host lets the lab's user in again. */
export async function reboot(ref: HostRef): Promise<void> {
  const { lab, host } = await resolve(ref);
  await restart(lab, host);
  await waitForLogin(lab, host);
}

/** Stops every process of the host where it stands; its kernel still answers, so connections hang instead of breaking. LAB_HOST_OFF. */
export async function pause(ref: HostRef): Promise<void> {
  await setFrozen(ref, true);
}

export async function resume(ref: HostRef): Promise<void> {
  await setFrozen(ref, false);
}

/** Pulls the network plug: no packet passes in either direction. LAB_HOST_OFF. */
export async function cutOff(ref: HostRef): Promise<void> {
  const { host } = await running(ref);
  await setLink(host, 'down');
}

export async function reconnect(ref: HostRef): Promise<void> {
  const { host } = await running(ref);
  await setLink(host, 'up');
}

async function setFrozen(ref: HostRef, frozen: boolean): Promise<void> {
  const { lab, host } = await running(ref);
  const groups = await cgroups();
  await freeze(groups, groupOf(groups, lab.name, host.name), frozen);
}

async function running(ref: HostRef): Promise<{ lab: LabRecord; host: LabHostRecord }> {
  const found = await resolve(ref);
  if (!(await isOn(found.lab, found.host))) throw hostOff(found.host);
  return found;
}

async function resolve({ name = 'lab', host }: HostRef): Promise<{ lab: LabRecord; host: LabHostRecord }> {
  requireRoot();
  const lab = await requireRecord(name);
  return { lab, host: requireHost(lab, host) };
}
