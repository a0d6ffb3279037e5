import type { Prompts } from '../remote/target.ts';
import type { GlobalOptions } from './options.ts';
import type { Io } from './io.ts';

/** For runs without a person: what a CI system keeps as its secrets. */
const variables = {
  password: 'SLIPWAY_SSH_PASSWORD',
  passphrase: 'SLIPWAY_KEY_PASSPHRASE',
  'sudo-password': 'SLIPWAY_SUDO_PASSWORD',
} as const;

/** Answers the questions of connections from a terminal, or not at all. Host keys are only ever confirmed by a person. */
export function prompts(
  io: Io,
  { options, onSecret }: { options: Pick<GlobalOptions, 'input' | 'yes'>; onSecret: (secret: string) => void },
): Prompts {
  const askable = io.interactive && options.input;
  return {
    async secret({ kind, subject, host }) {
      const given = io.env[variables[kind]];
      if (given) {
        onSecret(given);
        return given;
      }
      if (!askable) return undefined;
      const { default: inquirer } = await import('inquirer');
      const { answer } = await inquirer.prompt<{ answer: string }>([
        { type: 'password', name: 'answer', mask: '*', message: `${kind.replace('-', ' ')} for ${subject} (${host})` },
      ]);
      onSecret(answer);
      return answer;
    },
    async hostKey({ host, address, type, fingerprint }) {
      if (!askable || options.yes) return false;
      const { default: inquirer } = await import('inquirer');
      io.stderr.write(`${host} (${address}) is not known yet. Its ${type} key is ${fingerprint}\n`);
      const { answer } = await inquirer.prompt<{ answer: boolean }>([
        { type: 'confirm', name: 'answer', default: false, message: 'Is that its key?' },
      ]);
      return answer;
    },
  };
}
