import { spawn } from 'node:child_process';
import { open, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { SlipwayError } from '../base/errors.ts';
import { cgroups, destroyGroup, groupOf, processesIn, unitName } from './cgroups.ts';
import type { Cgroups } from './cgroups.ts';
import { attempt, lastLines, run, searchPath } from './command.ts';
import { containerPower, machinePaths, systemdOf } from './container.ts';
import { hostRoot } from './paths.ts';
import type { LabHostRecord, LabRecord } from './record.ts';
import { login, onHost } from './ssh.ts';
import { supervisorScript } from './supervisor.ts';
import type { Power } from './supervisor.ts';
import { accelerator, kernelOf, vmPower } from './vm.ts';

/** Long, for a machine that is busy: a host that ends while it starts is noticed at once. An emulated processor takes its time. */
const startLimitMs = ({ vm }: LabHostRecord): number => (vm === true ? 600_000 : 180_000);
/** systemd's signals for "poweroff" and "reboot", SIGRTMIN+4 and SIGRTMIN+5 (systemd(1)). */
const signals = { poweroff: 38, reboot: 39 };

/** Switches a host on; nothing to do when it is. It keeps running after this process has ended. */
export async function switchOn(lab: LabRecord, host: LabHostRecord): Promise<void> {
  if (await isOn(lab, host)) return;
  const groups = await cgroups();
  const group = groupOf(groups, lab.name, host.name);
  await destroyGroup(groups, group);
  const directory = hostRoot(lab.name, host.name);
  const script = join(directory, 'supervisor.sh');
  await writeFile(script, supervisorScript({ ...groups, group, power: await powerOf(lab, host, groups) }));
  const log = join(directory, 'console.log');
  await (groups.units ? startUnit(unitName(lab.name, host.name), script, log) : startDetached(script, log));
}

async function powerOf(lab: LabRecord, host: LabHostRecord, { version }: Cgroups): Promise<Power> {
  const { machine, name: hostname, image } = host;
  const options = { directory: hostRoot(lab.name, hostname), machine, bridge: lab.bridge };
  if (host.vm === true) return vmPower({ ...options, ...(await kernelOf(image)), accelerator: await accelerator(image) });
  const layers = [...(host.layers ?? []), image];
  return containerPower({ ...options, layers, hostname, version, systemd: await systemdOf(image), binds: machinePaths() });
}

async function startUnit(unit: string, script: string, log: string): Promise<void> {
  const properties = [
    ...['Delegate=yes', 'PrivateMounts=yes', 'TasksMax=infinity', 'OOMPolicy=continue', 'KillSignal=SIGKILL'],
    // nspawn's way to say that the host wants to be started again.
    ...['RestartForceExitStatus=133', 'SuccessExitStatus=133', 'RestartSec=100ms', 'StartLimitIntervalSec=0'],
    ...[`StandardOutput=append:${log}`, `StandardError=append:${log}`],
  ];
  await run('systemd-run', [
    '--quiet',
    '--collect',
    `--unit=${unit}`,
    '--slice=system.slice',
    ...properties.map((p) => `--property=${p}`),
    'sh',
    script,
  ]);
}

async function startDetached(script: string, log: string): Promise<void> {
  const output = await open(log, 'w');
  try {
    const child = spawn('unshare', ['--mount', '--propagation', 'slave', 'sh', script, String(process.pid)], {
      cwd: '/',
      detached: true,
      stdio: ['ignore', output.fd, output.fd],
      env: { PATH: searchPath() },
    });
    child.unref();
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', reject);
    });
  } finally {
    await output.close();
  }
}

/** Takes the power away: nothing in the host gets to say goodbye. Its disk stays. */
export async function switchOff(lab: LabRecord, host: LabHostRecord): Promise<void> {
  await rm(join(hostRoot(lab.name, host.name), 'supervisor.sh'), { force: true });
  const groups = await cgroups();
  if (groups.units) {
    const unit = unitName(lab.name, host.name);
    for (const args of [
      ['kill', '--signal=SIGKILL', unit],
      ['stop', unit],
      ['reset-failed', unit],
    ])
      await attempt('systemctl', ['--quiet', ...args]);
  }
  await destroyGroup(groups, groupOf(groups, lab.name, host.name));
}

export async function isOn(lab: LabRecord, host: LabHostRecord): Promise<boolean> {
  const groups = await cgroups();
  return (await processesIn(groups, groupOf(groups, lab.name, host.name))).length > 0;
}

/** The process of this machine that is the host's init; undefined when the host is off. */
export async function initOf(lab: LabRecord, host: LabHostRecord): Promise<number | undefined> {
  const groups = await cgroups();
  for (const pid of await processesIn(groups, groupOf(groups, lab.name, host.name))) {
    const status = await readFile(`/proc/${String(pid)}/status`, 'utf8').catch(() => '');
    const [, ...ids] = /^NSpid:.*$/m.exec(status)?.[0].split(/\s+/) ?? [];
    // One namespace below ours: a pod's init is further down.
    if (ids.length === 2 && ids[1] === '1') return pid;
  }
  return undefined;
}

/** Asks the host's init for an orderly end; returns when the host is off, at once when it is. LAB_HOST_STUCK after three minutes. */
export async function shutDown(lab: LabRecord, host: LabHostRecord): Promise<void> {
  if (await isOn(lab, host)) await askInit(lab, host, 'poweroff');
  const deadline = Date.now() + startLimitMs(host);
  while (await isOn(lab, host)) {
    if (Date.now() > deadline) {
      throw new SlipwayError(`host ${host.name} does not end`, {
        code: 'LAB_HOST_STUCK',
        category: 'failed',
        where: { host: host.name },
        hint: 'A unit that does not stop keeps it: see systemctl list-jobs on the host. A paused host must be resumed first.',
      });
    }
    await delay(20);
  }
  // Removes what is left of its groups, and the script that could start it again.
  await switchOff(lab, host);
}

/** Asks the host's init for an orderly reboot; returns when the new one is there. LAB_HOST_OFF when there is none to ask. */
export async function restart(lab: LabRecord, host: LabHostRecord): Promise<void> {
  const before = await bootOf(lab, host);
  if (before === undefined) throw hostOff(host);
  await askInit(lab, host, 'reboot');
  const deadline = Date.now() + startLimitMs(host);
  for (;;) {
    const now = await bootOf(lab, host);
    if (now !== undefined && now !== before) return;
    if (Date.now() > deadline) throw await silent(lab, host, `host ${host.name} does not come back from its reboot`);
    await delay(20);
  }
}

async function askInit(lab: LabRecord, host: LabHostRecord, what: keyof typeof signals): Promise<void> {
  if (host.vm === true) {
    await onHost(lab, host, { command: `systemctl ${what}` });
    return;
  }
  const init = await initOf(lab, host);
  if (init !== undefined) process.kill(init, signals[what]);
}

/** What is another after each boot; undefined while the host is off or does not answer. */
async function bootOf(lab: LabRecord, host: LabHostRecord): Promise<string | undefined> {
  if (host.vm !== true) return (await initOf(lab, host))?.toString();
  const { exitCode, stdout } = await onHost(lab, host, { command: 'cat /proc/sys/kernel/random/boot_id' });
  return exitCode === 0 ? stdout.trim() : undefined;
}

/** Returns when the lab's user can log in with the lab's key and the recorded host key; LAB_HOST_SILENT after three minutes (a virtual machine: ten), or at once when the host's processes have ended. */
export async function waitForLogin(lab: LabRecord, host: LabHostRecord): Promise<void> {
  const deadline = Date.now() + startLimitMs(host);
  let seen = false;
  for (;;) {
    const last = await login(lab, host);
    if (last === undefined) return;
    const on = await isOn(lab, host);
    if (seen && !on) throw await silent(lab, host, `host ${host.name} ended while it started`);
    if (Date.now() > deadline) throw await silent(lab, host, `host ${host.name} lets nobody in: ${last}`);
    seen ||= on;
    await delay(20);
  }
}

export function hostOff(host: LabHostRecord): SlipwayError {
  return new SlipwayError(`host ${host.name} is off`, {
    code: 'LAB_HOST_OFF',
    category: 'usage',
    where: { host: host.name },
    hint: 'Switch it on first.',
  });
}

async function silent(lab: LabRecord, host: LabHostRecord, message: string): Promise<SlipwayError> {
  const output = await readFile(join(hostRoot(lab.name, host.name), 'console.log'), 'utf8').catch(() => '');
  return new SlipwayError(message, {
    code: 'LAB_HOST_SILENT',
    category: 'failed',
    where: { host: host.name },
    evidence: lastLines(output, 20),
    hint: `These are the last lines of its console; \`slipway lab down --name ${lab.name}\` removes the lab.`,
  });
}
