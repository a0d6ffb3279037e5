import { SlipwayError } from '../../base/errors.ts';
import { age, list, size } from '../../base/words.ts';
import type { Handler } from '../command.ts';
import { exitCodes } from '../exit-code.ts';
import type { Io } from '../io.ts';
import { wholeNumber } from '../options.ts';
import { formatted } from '../output.ts';
import { table } from '../style.ts';
import type { Refused } from '../../lab/index.ts';

const load = () => import('../../lab/index.ts');

export const up: Handler = async ({ options }, io) => {
  const { kindOf, labUp } = await load();
  refuseBesideFrom(options);
  const lab = await labUp({
    name: String(options['name']),
    ...(options['hosts'] === undefined ? {} : { hosts: wholeNumber(options['hosts'], '--hosts') }),
    ...(options['controlPlanes'] === undefined ? {} : { controlPlanes: wholeNumber(options['controlPlanes'], '--control-planes') }),
    ...(options['vm'] === undefined ? {} : { vms: options['vm'] === true ? ('all' as const) : wholeNumber(options['vm'], '--vm') }),
    ...(options['from'] === undefined ? {} : { from: options['from'] as string }),
    ...(options['offline'] === true ? { offline: true } : {}),
    ...(options['user'] === undefined ? {} : { user: options['user'] as string }),
    directory: String(options['directory']),
    ...(options['sudoPassword'] === true ? { sudoPassword: sudoPassword(io) } : {}),
    ...(options['release'] === undefined ? {} : { releases: options['release'] as string[] }),
    onProgress: (text) => void io.stderr.write(`${text}\n`),
  });
  io.stdout.write(`${table(lab.hosts.map((host) => [host.name, host.address, host.release, kindOf(host)]))}\n`);
  io.stderr.write(`Next: slipway apply -f ${lab.clusterFile}\n`);
  return exitCodes.ok;
};

const OF_HOSTS = {
  hosts: '--hosts',
  controlPlanes: '--control-planes',
  vm: '--vm',
  release: '--release',
  offline: '--offline',
  user: '--user',
  sudoPassword: '--sudo-password',
};

/** Throws OPTION_INVALID (usage): what the hosts of a snapshot are was decided when they were made. */
function refuseBesideFrom(options: Readonly<Record<string, unknown>>): void {
  if (options['from'] === undefined) return;
  const beside = Object.entries(OF_HOSTS).filter(([name]) => options[name] !== undefined && options[name] !== false);
  if (beside.length === 0) return;
  throw new SlipwayError(`--from brings hosts as they were: ${list(beside.map(([, flag]) => flag))} cannot be given beside it`, {
    code: 'OPTION_INVALID',
    category: 'usage',
    hint: 'leave it out',
  });
}

/** Not as an option's value, which everybody on the machine can see. */
function sudoPassword({ env }: Io): string {
  const password = env['SLIPWAY_SUDO_PASSWORD'];
  if (password) return password;
  throw new SlipwayError('--sudo-password is given, and SLIPWAY_SUDO_PASSWORD is not set', {
    code: 'ENVIRONMENT_INVALID',
    category: 'usage',
    hint: 'export SLIPWAY_SUDO_PASSWORD; slipway apply reads it too',
  });
}

export const down: Handler = async ({ options }, io) => {
  const { labDown } = await load();
  await labDown({ name: String(options['name']), onProgress: (text) => void io.stderr.write(`${text}\n`) });
  return exitCodes.ok;
};

export const snapshot: Handler = async ({ args, options }, io) => {
  const { labSnapshot } = await load();
  const name = args[0] ?? 'lab';
  const { label } = await labSnapshot({
    name,
    label: (options['as'] as string | undefined) ?? name,
    onProgress: (text) => void io.stderr.write(`${text}\n`),
  });
  io.stderr.write(`Next: slipway lab up --from ${label} --name NAME, once this lab is down\n`);
  return exitCodes.ok;
};

export const snapshots: Handler = async ({ options }, io) => {
  const { labSnapshots, removeSnapshot } = await load();
  const labels = (options['remove'] as string[] | undefined) ?? [];
  for (const label of labels) await removeSnapshot(label);
  if (labels.length > 0) return exitCodes.ok;
  const found = await labSnapshots();
  io.stdout.write(
    formatted(options['output'] as 'text', {
      data: found,
      text: () =>
        found.length === 0
          ? 'No snapshot on this machine. Make one: slipway lab snapshot LAB --as LABEL'
          : table(
              found.map(({ label, lab, hosts, bytes, createdAt, usedBy }) => [
                label,
                `of ${lab}`,
                hosts.join(','),
                size(bytes),
                `${age(Date.now() - Date.parse(createdAt))} old`,
                usedBy.length === 0 ? '' : `in use by ${usedBy.join(', ')}`,
              ]),
            ),
    }),
  );
  return exitCodes.ok;
};

export const status: Handler = async ({ options }, io) => {
  const { labStatus } = await load();
  const labs = await labStatus();
  io.stdout.write(
    formatted(options['output'] as 'text', {
      data: labs,
      text: () =>
        labs.length === 0
          ? 'No lab on this machine. Make one: slipway lab up'
          : labs
              .map(
                ({ name, state, directory, hosts, offline, refused }) =>
                  `${name} (${state}) in ${directory}${offline ? `, offline: ${refusedText(refused)}` : ''}\n${table(hosts.map((host) => [`  ${host.name}`, host.address, host.release, host.kind, host.roles.join(','), host.power, `ssh ${host.ssh}`]))}`,
              )
              .join('\n'),
    }),
  );
  return exitCodes.ok;
};

export const ssh: Handler = async ({ args, options }) => {
  const { labSsh } = await load();
  return labSsh({ name: String(options['name']), ...(args[0] === undefined ? {} : { host: args[0] }) });
};

export const exec: Handler = async ({ args, options }, io) => {
  const { labExec } = await load();
  const { exitCode } = await labExec({
    name: String(options['name']),
    command: args.join(' '),
    onLine: (line) => void io.stdout.write(`${line}\n`),
  });
  return exitCode;
};

function refusedText(refused: readonly Refused[]): string {
  if (refused.length === 0) return 'no packet wanted to leave';
  const parts = refused.map(({ protocol, port, packets }) => `${packets} ${protocol}${port === undefined ? '' : ` to port ${port}`}`);
  return `refused packets: ${parts.join(', ')}`;
}
