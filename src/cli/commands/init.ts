import type { Handler } from '../command.ts';
import { runInit } from '../init/init.ts';
import { wholeNumber } from '../options.ts';

/** The wizard; goes on with plan or apply when the person wants that. */
export const init: Handler = async ({ args, options: given }, io) => {
  const text = (name: string): string | undefined => given[name] as string | undefined;
  const list = (name: string): readonly string[] | undefined => given[name] as readonly string[] | undefined;
  const number = (name: string, flag: string): number | undefined =>
    given[name] === undefined ? undefined : wholeNumber(given[name], flag);
  return runInit(
    {
      file: args[0] ?? 'cluster.yaml',
      yes: given['yes'] === true,
      input: given['input'] !== false,
      force: given['force'] === true,
      connect: given['connect'] !== false,
      host: list('host'),
      user: text('user'),
      port: number('port', '--port'),
      identityFile: text('identityFile'),
      knownHosts: text('knownHosts'),
      jump: list('jump'),
      name: text('name'),
      kubernetesVersion: text('kubernetesVersion'),
      controlPlanes: number('controlPlanes', '--control-planes'),
      privateNetwork: text('privateNetwork'),
      flannel: given['flannel'] as 'vxlan' | undefined,
    },
    io,
    {
      next: async (verb, file) => {
        const options = { file, output: 'text' };
        return verb === 'plan'
          ? (await import('./plan.ts')).plan({ args: [], options }, io)
          : (await import('./apply.ts')).apply({ args: [], options }, io);
      },
    },
  );
};
