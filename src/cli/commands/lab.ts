import { SlipwayError } from '../../base/errors.ts';
import type { Handler } from '../command.ts';
import { exitCodes } from '../exit-code.ts';
import type { Io } from '../io.ts';
import { wholeNumber } from '../options.ts';
import { formatted } from '../output.ts';
import { table } from '../style.ts';
import type { Refused } from '../../lab/index.ts';

const load = () => import('../../lab/index.ts');

export const up: Handler = async ({ options }, io) => {
  const { labUp } = await load();
  const lab = await labUp({
    name: String(options['name']),
    hosts: wholeNumber(options['hosts'], '--hosts'),
    controlPlanes: wholeNumber(options['controlPlanes'], '--control-planes'),
    offline: options['offline'] === true,
    user: String(options['user']),
    directory: String(options['directory']),
    ...(options['sudoPassword'] === true ? { sudoPassword: sudoPassword(io) } : {}),
    ...(options['release'] === undefined ? {} : { releases: options['release'] as string[] }),
    onProgress: (text) => void io.stderr.write(`${text}\n`),
  });
  io.stdout.write(`${table(lab.hosts.map(({ name, address, release }) => [name, address, release]))}\n`);
  io.stderr.write(`Next: slipway apply -f ${lab.clusterFile}\n`);
  return exitCodes.ok;
};

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
                  `${name} (${state}) in ${directory}${offline ? `, offline: ${refusedText(refused)}` : ''}\n${table(hosts.map((host) => [`  ${host.name}`, host.address, host.release, host.roles.join(','), host.power, `ssh ${host.ssh}`]))}`,
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
