import type { z } from 'zod';
import { SlipwayError } from '../../base/errors.ts';
import * as fields from '../../config/fields.ts';
import { parseHostList, type HostEntry } from './hosts-input.ts';

/** The flags of `slipway init [FILE]`; each answers a question. */
export interface InitOptions {
  /** Where to write; `-` is standard output. */
  file: string;
  /** Take every proposal, ask nothing. */
  yes: boolean;
  /** False with --no-input. */
  input: boolean;
  /** Overwrite a file that is there. */
  force?: boolean | undefined;
  /** False with --no-connect: the hosts are not looked at. */
  connect?: boolean | undefined;
  /** Lists of hosts: see parseHostList. */
  host?: readonly string[] | undefined;
  user?: string | undefined;
  port?: number | undefined;
  identityFile?: string | undefined;
  knownHosts?: string | undefined;
  jump?: readonly string[] | undefined;
  /** The cluster's name. */
  name?: string | undefined;
  kubernetesVersion?: string | undefined;
  controlPlanes?: number | undefined;
  /** The network for the cluster's own traffic, as a CIDR. */
  privateNetwork?: string | undefined;
  flannel?: 'vxlan' | 'host-gw' | 'wireguard' | 'udp' | undefined;
  metricsServer?: boolean | undefined;
}

/** Throws FLAG_INVALID (usage) for a flag whose value no cluster file could hold. */
export function checkFlags({ name, user, port, jump = [], kubernetesVersion }: InitOptions): void {
  const checks: [string, unknown, z.ZodType][] = [
    ['--name', name, fields.clusterName],
    ['--user', user, fields.userName],
    ['--port', port, fields.port],
    ['--kubernetes-version', kubernetesVersion, fields.version],
    ...jump.map((one): [string, unknown, z.ZodType] => ['--jump', one, fields.jump]),
  ];
  for (const [flag, value, field] of checks) {
    const issue = value === undefined ? undefined : field.safeParse(value).error?.issues[0];
    if (issue === undefined) continue;
    const suggestion: unknown = issue.code === 'custom' ? issue.params?.['suggestion'] : undefined;
    throw new SlipwayError(`${flag}: ${JSON.stringify(value)} ${issue.code === 'custom' ? issue.message : 'is out of range'}`, {
      code: 'FLAG_INVALID',
      category: 'usage',
      hint: typeof suggestion === 'string' ? `For instance ${flag} ${suggestion.replace(/^.*such as /, '')}.` : undefined,
    });
  }
}

/** The hosts that were given as flags; undefined when there were none. Throws HOSTS_INVALID (usage). */
export function hostsFromFlags({ host = [] }: InitOptions): readonly HostEntry[] | undefined {
  if (host.length === 0) return undefined;
  const { hosts, problems } = parseHostList(host.join(' '));
  if (problems.length > 0) {
    throw new SlipwayError(`--host: ${problems.join('; ')}`, {
      code: 'HOSTS_INVALID',
      category: 'usage',
      hint: 'Write for instance --host 10.0.0.[11-13] or --host cp-1=admin@10.0.0.11:22.',
    });
  }
  return hosts;
}

/** A question that only a flag can answer, because there is no terminal or because nothing may be asked. */
export function unanswerable(question: string, flag: string): SlipwayError {
  return new SlipwayError(`nobody can say ${question}: there is no terminal, or --yes or --no-input was given`, {
    code: 'QUESTION_UNANSWERABLE',
    category: 'usage',
    hint: `Say it with ${flag}.`,
  });
}
