import { userInfo } from 'node:os';
import type { Sshd } from './sshd.ts';

export interface LoopbackHost {
  name: string;
  /** Default: worker. */
  role?: string;
  /** Fields of its ssh section. */
  ssh: string;
}

/** A cluster file whose hosts are servers of this machine, which the key of one of them opens. */
export function loopbackCluster(
  { identityFile, knownHosts }: Pick<Sshd, 'identityFile' | 'knownHosts'>,
  hosts: readonly LoopbackHost[],
): string {
  const lines = hosts.map(
    ({ name, role = 'worker', ssh }, i) =>
      `    - { name: ${name}, address: 127.0.0.1, privateAddress: 10.0.0.${i + 1}, roles: [${role}], ssh: { ${ssh} } }\n`,
  );
  return `spec:
  ssh: { user: ${userInfo().username}, identityFile: ${identityFile}, knownHosts: ${knownHosts}, become: none }
  artifacts: { source: go }
  hosts:
${lines.join('')}`;
}
