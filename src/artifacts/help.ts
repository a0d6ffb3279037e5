import { execa } from 'execa';
import type { Architecture } from './types.ts';

/** Milliseconds; each of them prints its help in a fifth of a second. */
const TIMEOUT = 20_000;

/** What this machine can run itself; undefined: none of our binaries. */
export function ownArchitecture({ platform, arch }: Pick<NodeJS.Process, 'platform' | 'arch'> = process): Architecture | undefined {
  if (platform !== 'linux') return undefined;
  return ({ x64: 'amd64', arm64: 'arm64' } as Readonly<Record<string, Architecture>>)[arch];
}

/**
 * The names in a text that explains flags: `-v, --v Level` (Kubernetes), `--name 'default'` (etcd), `--config string, -c string`
 * (containerd), `-iface value` (Go's own, of flannel). Explanations are indented further than six columns, or begin with another word.
 */
export function flagsIn(help: string): string[] {
  return [...new Set([...help.matchAll(/^ {2,6}(?:-\w, )?--?([A-Za-z0-9][\w.-]*)/gm)].map(([, name]) => name!))];
}

/** The flags that a binary says it has; undefined when it cannot be run here. Nothing of our environment is handed to it. */
export async function printedFlags(path: string, { signal }: { signal?: AbortSignal | undefined } = {}): Promise<string[] | undefined> {
  const { stdout, stderr } = await execa(path, ['--help'], {
    cwd: '/',
    env: {},
    extendEnv: false,
    stdin: 'ignore',
    reject: false,
    timeout: TIMEOUT,
    ...(signal ? { cancelSignal: signal } : {}),
  });
  // A binary that could not be run has no output at all.
  const flags = flagsIn(`${stdout ?? ''}\n${stderr ?? ''}`);
  return flags.length === 0 ? undefined : flags;
}
