import { systemOf } from '../artifacts/package-names.ts';
import type { Architecture } from '../artifacts/types.ts';
import { SlipwayError } from '../base/errors.ts';
import type { Cluster } from '../config/cluster.ts';
import { parseFacts } from '../facts/parse.ts';
import { factsScript } from '../facts/script.ts';
import { everyHost } from '../phases/gather.ts';
import { createFleet } from '../remote/fleet.ts';
import type { Io } from './io.ts';
import { globalOptions } from './options.ts';
import { prompts } from './prompts.ts';
import { targetsOf } from './targets.ts';

export interface HostSystem {
  /** `debian-12`. */
  system: string;
  arch: Architecture;
}

/** Asks every host what it is; changes nothing there. */
export async function askSystems(
  cluster: Cluster,
  { input, io, signal }: { input: boolean; io: Io; signal: AbortSignal },
): Promise<HostSystem[]> {
  const fleet = createFleet(await targetsOf(cluster), {
    prompts: prompts(io, { options: { ...globalOptions({}), input }, onSecret: () => undefined }),
    signal,
    log: () => undefined,
  });
  try {
    return await everyHost(cluster.hosts, async ({ name }) => {
      const { stdout } = await (await fleet.runner(name)).run(factsScript({ peers: [] }));
      const { os, arch } = parseFacts(stdout, Date.now(), name);
      if (arch === 'amd64' || arch === 'arm64') return { system: systemOf(os), arch };
      throw new SlipwayError(`${name} has a processor of another kind: ${arch}`, {
        code: 'BUNDLE_SYSTEM_UNKNOWN',
        category: 'usage',
        where: { host: name },
        hint: 'Kubernetes hosts are amd64 or arm64.',
      });
    });
  } finally {
    await fleet.closeAll();
  }
}
