import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { open, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { SlipwayError } from '../base/errors.ts';
import { cgroups, destroyGroup, groupOf, processesIn, unitName } from './cgroups.ts';
import { attempt, lastLines, run, searchPath } from './command.ts';
import { hostRoot } from './paths.ts';
import type { LabHostRecord, LabRecord } from './record.ts';
import { login } from './ssh.ts';
import { supervisorScript } from './supervisor.ts';

/** Long, for a machine that is busy: a host that ends while it starts is noticed at once. */
const startLimitMs = 180_000;
/** systemd's signal for "reboot", SIGRTMIN+5. */
const rebootSignal = 39;

/** Switches a host on; nothing to do when it is. It keeps running after this process has ended. */
export async function switchOn(lab: LabRecord, host: LabHostRecord): Promise<void> {
  if (await isOn(lab, host)) return;
  const groups = await cgroups();
  const group = groupOf(groups, lab.name, host.name);
  await destroyGroup(groups, group);
  const directory = hostRoot(lab.name, host.name);
  const binds = ['/dev/kmsg', '/dev/fuse', '/lib/modules'].filter((path) => existsSync(path));
  const script = join(directory, 'supervisor.sh');
  const options = {
    ...groups,
    group,
    image: host.image,
    systemd: await systemdOf(host.image),
    directory,
    machine: host.machine,
    hostname: host.name,
    bridge: lab.bridge,
    binds,
  };
  await writeFile(script, supervisorScript(options));
  const log = join(directory, 'console.log');
  await (groups.units ? startUnit(unitName(lab.name, host.name), script, log) : startDetached(script, log));
}

/** The version of systemd in an image, which is part of a library's name; 0 when it cannot be told. */
async function systemdOf(image: string): Promise<number> {
  const names = await Promise.all(
    ['usr/lib/systemd', 'usr/lib/x86_64-linux-gnu/systemd', 'usr/lib/aarch64-linux-gnu/systemd'].map((path) =>
      readdir(join(image, path)).catch(() => []),
    ),
  );
  const versions = names.flat().map((name) => Number(/^libsystemd-shared-(\d+)/.exec(name)?.[1] ?? 0));
  return Math.max(0, ...versions);
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

/** Asks the host's init for an orderly reboot; returns when the new one is there. LAB_HOST_OFF when there is none to ask. */
export async function restart(lab: LabRecord, host: LabHostRecord): Promise<void> {
  const before = await initOf(lab, host);
  if (before === undefined) throw hostOff(host);
  process.kill(before, rebootSignal);
  const deadline = Date.now() + startLimitMs;
  for (;;) {
    const now = await initOf(lab, host);
    if (now !== undefined && now !== before) return;
    if (Date.now() > deadline) throw await silent(lab, host, `host ${host.name} does not come back from its reboot`);
    await delay(20);
  }
}

/** Returns when the lab's user can log in with the lab's key and the recorded host key; LAB_HOST_SILENT after three minutes, or at once when the host's processes have ended. */
export async function waitForLogin(lab: LabRecord, host: LabHostRecord): Promise<void> {
  const deadline = Date.now() + startLimitMs;
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
