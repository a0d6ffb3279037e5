import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { packageRoot } from '../../src/base/package-root.ts';
import type { TestLab } from './lab.ts';

/** What a client of client.py prints. */
export interface Outcome {
  requests: number;
  failed: [number, string, string][];
  gap: number;
}

export const MODES = ['new', 'kept'] as const;

/** Puts the client on a host, with an administrator's certificate. */
export async function installClient(lab: TestLab, host: string): Promise<void> {
  const { stdout } = await lab.ok('kubeconfig');
  const { clusters, users } = parse(stdout) as {
    clusters: { cluster: Record<string, string> }[];
    users: { user: Record<string, string> }[];
  };
  const files = {
    'ca.crt': clusters[0]!.cluster['certificate-authority-data']!,
    'client.crt': users[0]!.user['client-certificate-data']!,
    'client.key': users[0]!.user['client-key-data']!,
    'client.py': (await readFile(join(packageRoot(), 'test/helpers/client.py'))).toString('base64'),
  };
  const written = Object.entries(files).map(([name, bytes]) => `echo ${bytes} | base64 -d >${name}`);
  await lab.on(
    host,
    `DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends python3-minimal libpython3-stdlib >/dev/null; mkdir -m 0700 /root/client; cd /root/client; ${written.join('; ')}`,
  );
}

/** Starts a client of each mode, and resolves when they are under way; `end` ends them and tells what they saw, in the order of MODES. */
export async function startClients(lab: TestLab, host: string): Promise<{ end(): Promise<Outcome[]> }> {
  await lab.on(host, 'rm -f /root/client/end*');
  const clients = MODES.map((mode) => lab.on(host, `python3 /root/client/client.py ${mode} ha-${mode} /root/client/end`));
  await lab.on(host, MODES.map((mode) => `until [ -e /root/client/end.ha-${mode} ]; do sleep 0.1; done`).join('; '));
  return {
    end: async () => {
      await lab.on(host, 'touch /root/client/end');
      return (await Promise.all(clients)).map((text) => JSON.parse(text) as Outcome);
    },
  };
}
