import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { packageRoot } from '../../src/base/package-root.ts';
import { powerOff, powerOn } from '../../src/lab/index.ts';
import { testLab, type Finished, type TestLab } from '../helpers/lab.ts';
import { seeded } from '../helpers/seed.ts';

/**
 * What an installation amounts to: files with their modes and contents, units, users, objects in the cluster. Left out is what is
 * another in every installation: keys, certificates and what holds them, and digests that count how often a certificate was issued.
 */
const RESULT = `find /etc/kubernetes /etc/etcd /etc/slipway /etc/containerd /etc/flannel /etc/cni /etc/sysctl.d /etc/modules-load.d /opt/slipway /var/lib/slipway/state.json -printf '%y %m %u:%g %p %l\\n' 2>/dev/null | grep -v -e '/opt/slipway/.incoming' | sort
find /etc/kubernetes /etc/etcd /etc/slipway /etc/containerd /etc/flannel /etc/sysctl.d /etc/modules-load.d /opt/slipway -type f ! -name '*.crt' ! -name '*.key' ! -name '*.pub' ! -name encryption-config.yaml ! -name .manifest -exec sha256sum {} + 2>/dev/null | sort -k 2
for u in etcd kube-apiserver kube-controller-manager kube-scheduler api-endpoint containerd kubelet flanneld kube-proxy slipway-forwarding; do
  f=$(systemctl show -P FragmentPath $u); [ -n "$f" ] && grep -v SLIPWAY_INPUTS "$f" | sha256sum
  systemctl show -p Id,LoadState,ActiveState $u
done
ls /etc/systemd/system/multi-user.target.wants; getent passwd etcd
cat /var/lib/slipway/before/directories; ls /var/lib/slipway/before`;

const OBJECTS = 'get namespaces,nodes,serviceaccounts,configmaps,services,deployments,clusterroles,clusterrolebindings -A -o name';

describe('an install that is interrupted again and again', () => {
  let lab: TestLab;
  const random = seeded('interruption');
  beforeAll(async () => {
    lab = await testLab('interruption', { hosts: 2 });
  });
  afterAll(() => lab.down());

  /** Runs apply and does something at the moment when so many steps are done; resolves with how it ended. */
  async function applyUntil(
    steps: number,
    act: (process: { kill(signal: NodeJS.Signals): void }) => Promise<void> | void,
  ): Promise<Finished & { signal: string | undefined }> {
    const child = execa(process.execPath, [join(packageRoot(), 'bin/slipway.js'), 'apply', '--yes', '--events', '-'], {
      cwd: lab.directory,
      reject: false,
      stdin: 'ignore',
      buffer: { stdout: false },
    });
    let done = 0;
    for await (const line of createInterface({ input: child.stdout })) {
      if ((JSON.parse(line) as { code: string }).code !== 'step.done' || ++done !== steps) continue;
      await act({ kill: (signal) => void child.kill(signal) });
    }
    const { exitCode, signal, stderr } = await child;
    return { exitCode: exitCode ?? 255, signal, stdout: '', stderr };
  }

  async function result(): Promise<Record<string, string>> {
    return { ...(await lab.everywhere(RESULT)), objects: await lab.kubectl(OBJECTS) };
  }

  test('by SIGKILL, three times, and by a power loss: the next run finishes it, and then there is nothing left to do', async () => {
    for (let round = 0; round < 3; round++) {
      const { signal } = await applyUntil(1 + random.below([220, 80, 40][round]!), (process) => process.kill('SIGKILL'));
      // A round that found too little left to do has ended by itself, which is fine.
      expect([undefined, 'SIGKILL']).toContain(signal);
    }
    const outcome = await applyUntil(1 + random.below(10), () => powerOff({ name: lab.name, host: 'w-1' }));
    await powerOn({ name: lab.name, host: 'w-1' });
    if (outcome.exitCode !== 0) expect(outcome.stderr).toContain('w-1');
    await lab.ok('apply', '--yes');
    const { stderr } = await lab.ok('apply', '--yes');
    expect(stderr).toContain('Nothing to change');
    const interrupted = await result();

    await lab.ok('lab', 'down', '--name', lab.name);
    await lab.down();
    lab = await testLab('interruption', { hosts: 2 });
    await lab.ok('apply', '--yes');
    expect(await result()).toEqual(interrupted);
  });

  test('by Ctrl-C: the running steps are finished, the locks released, exit 130', async () => {
    await lab.down();
    lab = await testLab('interruption', { hosts: 2 });
    const { exitCode, stderr } = await applyUntil(5, (process) => process.kill('SIGINT'));
    expect(exitCode).toBe(130);
    expect(stderr).toContain('run the same command again');
    const held = await lab.everywhere('flock -n /run/slipway/lock true && flock -n /run/slipway/steps true && echo free');
    expect(Object.values(held)).toEqual(['free', 'free']);
  });

  test('by a second operator: told who holds what since when, exit 6', async () => {
    let second: Finished | undefined;
    await applyUntil(3, async (process) => {
      second = await lab.slipway('apply', '--yes');
      process.kill('SIGKILL');
    });
    expect(second?.exitCode).toBe(6);
    expect(second?.stderr).toMatch(/@.* runs "slipway apply" since \d{4}-/);
  });
});
