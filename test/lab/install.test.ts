import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { powerOff, powerOn } from '../../src/lab/index.ts';
import { ETCDCTL, LOCAL_ETCDCTL } from '../../src/components/etcd.ts';
import { hardeningOfControlPlane, hardeningOfWorker } from '../helpers/hardening.ts';
import { testLab, type TestLab } from '../helpers/lab.ts';

/** Everything that must not move when nothing is to be done: files with times, unit start times, journal. */
const FINGERPRINT = `find /etc /opt/slipway /usr/lib/systemd/system/etcd.service /var/lib/slipway -printf '%p %T@ %C@ %m %u %g\\n' 2>/dev/null | grep -v -e '^/etc/cni/net.d ' | sort | sha256sum
systemctl show -p Id,ExecMainStartTimestampMonotonic,NRestarts etcd kube-apiserver kube-controller-manager kube-scheduler api-endpoint containerd kubelet flanneld kube-proxy slipway-forwarding`;

/** When each unit's process was started. */
const STARTS =
  'for u in etcd kube-apiserver kube-controller-manager kube-scheduler api-endpoint containerd kubelet flanneld kube-proxy slipway-forwarding; do echo "$u.service $(systemctl show -P NRestarts $u) $(systemctl show -P ExecMainStartTimestampMonotonic $u)"; done';

/**
 * What was restarted: of `planned` units all, of others those that did not end by themselves. A scheduler does when the only API server is away for
 * longer than its lease lasts, which on a busy machine a restart may take; and flanneld, when it starts meanwhile.
 */
function movedUnits(
  before: Readonly<Record<string, string>>,
  after: Readonly<Record<string, string>>,
  planned: readonly string[],
): string[] {
  const moved = Object.keys(before).flatMap((host) =>
    after[host]!.split('\n').flatMap((line) => {
      const [unit, restarts] = line.split(' ');
      const moved = !before[host]!.split('\n').includes(line);
      const ended = !before[host]!.includes(`${unit} ${restarts} `);
      return moved && (!ended || planned.includes(`${host} ${unit}`)) ? [`${host} ${unit}`] : [];
    }),
  );
  return moved.sort();
}

describe('a six-line cluster file on three fresh hosts', () => {
  let lab: TestLab;
  beforeAll(async () => {
    lab = await testLab('install');
    const written = await readFile(join(lab.directory, 'cluster.yaml'), 'utf8');
    const [cp, w1, w2] = [...written.matchAll(/address: ([\d.]+)/g)].map((match) => match[1]!);
    await writeFile(
      join(lab.directory, 'cluster.yaml'),
      `spec:
  ssh: { user: root, identityFile: ./id_ed25519, knownHosts: ./known_hosts }
  hosts:
    - { address: ${cp}, roles: [control-plane] }
    - { address: ${w1} }
    - { address: ${w2} }
`,
    );
    await lab.ok('plan', '--out', 'plan.json');
  });
  afterAll(() => lab.down());

  test('becomes a verified cluster with one command', async () => {
    const { stderr } = await lab.ok('apply', '--yes');
    expect(stderr).toContain('slipway kubeconfig');
    const nodes = await lab.kubectl(
      'get nodes -o jsonpath=\'{range .items[*]}{.metadata.name} {.status.nodeInfo.kubeletVersion}{"\\n"}{end}\'',
    );
    expect(nodes.split('\n')).toEqual(['cp-1 v1.36.3', 'w-1 v1.36.3', 'w-2 v1.36.3']);
  });

  test('is left alone by a second apply: nothing planned, nothing written, no unit restarted', async () => {
    const before = await lab.everywhere(FINGERPRINT);
    const { stderr } = await lab.ok('apply', '--yes');
    expect(stderr).toContain('Nothing to change');
    expect(await lab.everywhere(FINGERPRINT)).toEqual(before);
    const { exitCode } = await lab.slipway('plan', '--detailed-exitcode');
    expect(exitCode).toBe(0);
  });

  test('refuses a plan that was saved when all was still to be done; one that was saved since is that of now', async () => {
    const before = await lab.everywhere(FINGERPRINT);
    const { exitCode, stderr } = await lab.slipway('apply', 'plan.json', '--yes');
    expect(stderr).toContain('[PLAN_OUTDATED]');
    expect(exitCode).toBe(5);
    expect(await lab.everywhere(FINGERPRINT)).toEqual(before);
    await lab.ok('plan', '--out', 'now.json');
    expect((await lab.ok('apply', 'now.json', '--yes')).stderr).toContain('Nothing to change');
  });

  test('passes every check of verify, and verify leaves nothing behind', async () => {
    const { stdout } = await lab.ok('verify', '-o', 'json');
    const failed = (JSON.parse(stdout) as { checks: { ok: string; id: string }[] }).checks.filter(({ ok }) => ok === 'fail');
    expect(failed).toEqual([]);
    // Deleted; what is left of it may still be going.
    await lab.kubectl('wait --for=delete namespaces -l slipway.dev/verify --timeout=60s || :');
    expect(await lab.kubectl('get namespaces -o name')).not.toContain('slipway-verify');
  });

  test('has a network without a flaw, tried with the ports that its daemons hold', async () => {
    const { stdout } = await lab.ok('verify', '--network');
    expect(stdout).toContain('tried: tcp 6443 kube-apiserver, tcp 10250 kubelet, udp 8472 flanneld');
    expect(stdout).toContain('6 of 6 ways between 3 hosts are free');
  });

  test('lets pods on different nodes talk by address, by Service name and by Service address; exec and logs work', async () => {
    const pod = (name: string, node: string): string => `
apiVersion: v1
kind: Pod
metadata: { name: ${name}, namespace: talk, labels: { app: ${name} } }
spec:
  nodeName: ${node}
  securityContext: { runAsNonRoot: true, runAsUser: 65534, seccompProfile: { type: RuntimeDefault } }
  containers:
    - name: main
      image: registry.k8s.io/e2e-test-images/agnhost:2.63.0
      imagePullPolicy: Never
      args: [netexec, --http-port=8080]
      securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: [ALL] } }
`;
    const manifest = [
      'apiVersion: v1\nkind: Namespace\nmetadata: { name: talk }\n',
      pod('a', 'w-1'),
      pod('b', 'w-2'),
      'apiVersion: v1\nkind: Service\nmetadata: { name: b, namespace: talk }\nspec: { selector: { app: b }, ports: [{ port: 80, targetPort: 8080 }] }\n',
    ].join('---\n');
    await lab.on('cp-1', `/opt/slipway/bin/kubectl --kubeconfig=/etc/kubernetes/admin.conf apply -f - <<'EOF'\n${manifest}\nEOF`);
    await lab.kubectl('-n talk wait --for=condition=Ready pod/a pod/b --timeout=60s');
    const podAddress = await lab.kubectl("-n talk get pod b -o jsonpath='{.status.podIP}'");
    const serviceAddress = await lab.kubectl("-n talk get service b -o jsonpath='{.spec.clusterIP}'");
    for (const target of [`${podAddress}:8080`, `${serviceAddress}:80`, 'b.talk.svc.cluster.local:80', 'b:80']) {
      await lab.kubectl(`-n talk exec a -- /agnhost connect ${target} --timeout=5s`);
    }
    expect(await lab.kubectl('-n talk logs b')).toContain('Started HTTP server on port 8080');
    const route = await lab.on('w-1', `ip route get ${podAddress}`);
    expect(route).toContain('flannel.1');
    await lab.kubectl('delete namespace talk --wait=true');
  });

  test('forwards a port to a pod from the operator’s machine with the kubeconfig that it prints', async () => {
    const { stdout } = await lab.ok('kubeconfig');
    const file = join(lab.directory, 'kubeconfig');
    await writeFile(file, stdout, { mode: 0o600 });
    const kubectl = await kubectlOf(lab);
    const { stdout: who } = await execa(kubectl, ['--kubeconfig', file, 'auth', 'whoami', '-o', 'jsonpath={.status.userInfo.username}']);
    expect(who).toBe('admin');
    const pod = await lab.kubectl("-n kube-system get pods -l k8s-app=kube-dns -o jsonpath='{.items[0].metadata.name}'");
    const forward = execa(kubectl, ['--kubeconfig', file, '-n', 'kube-system', 'port-forward', `pod/${pod}`, ':8181'], { reject: false });
    try {
      const port = await new Promise<string>((resolve, reject) => {
        forward.stdout.on('data', (data: Buffer) => {
          const match = /127\.0\.0\.1:(\d+)/.exec(String(data));
          if (match) resolve(match[1]!);
        });
        forward.then(({ stderr }) => reject(new Error(`port-forward ended: ${stderr}`)), reject);
      });
      expect((await fetch(`http://127.0.0.1:${port}/ready`)).status).toBe(200);
    } finally {
      forward.kill();
    }
  });

  test('keeps Secrets encrypted in etcd', async () => {
    await lab.kubectl('create secret generic marker --from-literal=word=open-sesame');
    const stored = await lab.on(
      'cp-1',
      `${ETCDCTL} get /registry/secrets/default/marker --print-value-only | tr -d '\\0' | head -c 400 | cat -v`,
    );
    expect(stored).toMatch(/^k8s:enc:secretbox:v1:key-1:/);
    expect(stored).not.toContain('open-sesame');
    await lab.kubectl('delete secret marker');
  });

  test('satisfies every scored row of the hardening guide on the control plane and on a worker', async () => {
    expect(await hardeningOfControlPlane((command) => lab.on('cp-1', command))).toEqual([]);
    expect(await hardeningOfWorker((command) => lab.on('w-1', command))).toEqual([]);
  });

  test('has no administrator’s credential on a worker, and no CA key but the kubelets’ on a control plane', async () => {
    expect(await lab.on('w-1', 'ls /etc/kubernetes /etc/kubernetes/pki')).not.toMatch(/admin|controller-manager|scheduler|ca\.key/);
    expect(await lab.on('cp-1', "find / -xdev -name '*ca*.key' -path '*kube*' 2>/dev/null")).toBe(
      '/etc/kubernetes/pki/kubelet-client-ca.key',
    );
  });

  test('restarts exactly what a changed setting concerns', async () => {
    const file = join(lab.directory, 'cluster.yaml');
    const before = await readFile(file, 'utf8');
    const started = await lab.everywhere(STARTS);
    await writeFile(
      file,
      `${before}  network: { flannel: { mtu: 1400 } }\n  components: { kube-apiserver: { args: { v: 2 } }, kubelet: { args: { v: 2 } } }\n`,
    );
    const { stdout } = await lab.ok('plan', '-o', 'json');
    const units = (JSON.parse(stdout) as { steps: { host: string; action: { kind: string; name: string } }[] }).steps.flatMap(
      ({ host, action }) => (action.kind === 'unit' ? [`${host} ${action.name}`] : []),
    );
    const expected = [
      'cp-1 flanneld.service',
      'cp-1 kube-apiserver.service',
      'cp-1 kubelet.service',
      'w-1 flanneld.service',
      'w-1 kubelet.service',
      'w-2 flanneld.service',
      'w-2 kubelet.service',
    ];
    expect(units.sort()).toEqual(expected);
    await lab.ok('apply', '--yes');
    expect(movedUnits(started, await lab.everywhere(STARTS), expected)).toEqual(expected);
    // The interface's 1400 less 50 for vxlan.
    expect(await lab.on('w-1', 'cat /run/flannel/subnet.env')).toContain('FLANNEL_MTU=1350');
    expect((await lab.slipway('plan', '--detailed-exitcode')).exitCode).toBe(0);
  });

  test('takes from its nodes what left the file, a role with its taint included, and nothing that somebody else set', async () => {
    const file = join(lab.directory, 'cluster.yaml');
    const before = await readFile(file, 'utf8');
    const set = async (): Promise<{ labels: string[]; taints: string[] }[]> => {
      const { items } = JSON.parse(await lab.kubectl('get nodes -o json')) as {
        items: { metadata: { labels: Record<string, string> }; spec: { taints?: { key: string; value?: string; effect: string }[] } }[];
      };
      return items.map(({ metadata, spec }) => ({
        labels: Object.entries(metadata.labels)
          .filter(([key]) => !/^(beta\.)?kubernetes\.io\//.test(key))
          .map(([key, value]) => `${key}=${value}`)
          .sort(),
        taints: (spec.taints ?? []).map(({ key, value = '', effect }) => `${key}=${value}:${effect}`).sort(),
      }));
    };
    const [controlPlane, worker] = ['node-role.kubernetes.io/control-plane=', 'node-role.kubernetes.io/worker='];
    const asBefore = [
      { labels: [controlPlane], taints: [`${controlPlane}:NoSchedule`] },
      { labels: ['mine=yes', worker], taints: ['mine=yes:NoSchedule'] },
      { labels: [worker], taints: [] },
    ];
    await lab.kubectl('label node w-1 mine=yes');
    await lab.kubectl('taint node w-1 mine=yes:NoSchedule');
    const [, w1] = /roles: \[control-plane\] \}\n(.*)\n/.exec(before)!;
    await writeFile(
      file,
      before
        .replace('[control-plane]', '[control-plane, worker]')
        .replace(w1!, w1!.replace(' }', ', labels: { disk: ssd }, taints: ["dedicated=db:PreferNoSchedule"] }')),
    );
    const started = await lab.everywhere(STARTS);
    await lab.ok('apply', '--yes');
    expect(await set()).toEqual([
      { labels: [controlPlane, worker], taints: [] },
      { labels: ['disk=ssd', 'mine=yes', worker], taints: ['dedicated=db:PreferNoSchedule', 'mine=yes:NoSchedule'] },
      asBefore[2],
    ]);
    await writeFile(file, before);
    await lab.ok('apply', '--yes');
    expect(await set()).toEqual(asBefore);
    expect(movedUnits(started, await lab.everywhere(STARTS), [])).toEqual([]);
    expect((await lab.slipway('plan', '--detailed-exitcode')).exitCode).toBe(0);
    await lab.kubectl('taint node w-1 mine-');
  });

  test('mends an edited, a deleted and a half-written file and a stopped unit, and touches nothing else', async () => {
    await lab.on('w-1', 'echo "# by hand" >>/etc/kubernetes/kube-proxy/config.yaml; systemctl stop kube-proxy');
    await lab.on('w-2', 'rm /etc/flannel/net-conf.json');
    await lab.on('cp-1', 'truncate -s 200 /etc/systemd/system/kube-scheduler.service');
    const started = await lab.everywhere(STARTS);
    const { stdout } = await lab.ok('plan', '-o', 'json');
    const planned = (JSON.parse(stdout) as { steps: { id: string }[] }).steps
      .map(({ id }) => id)
      .filter((id) => !/\/(addons\/api|ready\/units)$/.test(id));
    expect(planned.sort()).toEqual([
      'cp-1/kube-scheduler/file/etc/systemd/system/kube-scheduler.service',
      'cp-1/kube-scheduler/serves',
      'cp-1/kube-scheduler/unit',
      'w-1/kube-proxy/file/etc/kubernetes/kube-proxy/config.yaml',
      'w-1/kube-proxy/unit',
      'w-2/flanneld/file/etc/flannel/net-conf.json',
    ]);
    await lab.ok('apply', '--yes');
    expect(movedUnits(started, await lab.everywhere(STARTS), ['w-1 kube-proxy.service'])).toEqual(['w-1 kube-proxy.service']);
    expect((await lab.slipway('plan', '--detailed-exitcode')).exitCode).toBe(0);
  });

  test('gets space back at night that etcd has freed', async () => {
    expect(await lab.on('cp-1', 'systemctl is-active etcd-defrag.timer')).toBe('active');
    const said = await lab.on(
      'cp-1',
      `e() { ${LOCAL_ETCDCTL} "$@"; }
head -c 1400000 /dev/zero | tr '\\0' x >/run/value
for n in $(seq 90); do e put /filler/$n </run/value >/dev/null; done
systemctl start etcd-defrag.service
revision=$(e del --prefix /filler/ -w json | grep -o '"revision":[0-9]*' | cut -d: -f2)
e compact "$revision" --physical >/dev/null
systemctl start etcd-defrag.service
journalctl -q --no-pager -o cat -u etcd-defrag.service -t defrag; rm /run/value`,
    );
    expect(said.split('\n')).toEqual([
      expect.stringMatching(/^not needed: \d+ of \d+ MiB are in use$/),
      expect.stringMatching(/^from 1[2-9]\d to \d\d? MiB$/),
    ]);
  });

  test('is back by itself after all hosts lost their power at once', async () => {
    const boots = await lab.everywhere('cat /proc/sys/kernel/random/boot_id; systemctl show -p UserspaceTimestampMonotonic --value');
    const hosts = Object.keys(boots).map((host) => ({ name: lab.name, host }));
    await Promise.all(hosts.map((host) => powerOff(host)));
    await Promise.all(hosts.map((host) => powerOn(host)));
    await lab.on('cp-1', 'until systemctl is-active -q kube-apiserver; do sleep 0.2; done');
    await lab.kubectl('wait --for=condition=Ready nodes --all --timeout=120s');
    await lab.kubectl('-n kube-system rollout status deployment/coredns --timeout=120s');
    await lab.ok('verify');
    const { exitCode, stderr } = await lab.slipway('apply', '--yes');
    expect(exitCode).toBe(0);
    expect(stderr).toContain('Nothing to change');
  });
});

/** kubectl as it was delivered, on this machine. */
async function kubectlOf(lab: TestLab): Promise<string> {
  const { defaultCacheDirectory } = await import('../../src/artifacts/directories.ts');
  const { createStore } = await import('../../src/artifacts/store.ts');
  const { goSource } = await import('../../src/artifacts/go/source.ts');
  const { artefactsFor } = await import('../../src/artifacts/catalogue.ts');
  const store = createStore({ cacheDirectory: defaultCacheDirectory(), source: goSource(), lockPath: join(lab.directory, 'cluster.lock') });
  const arch = process.arch === 'arm64' ? 'arm64' : 'amd64';
  const [kubectl] = await store.resolve(artefactsFor({ kubernetesVersion: '1.36.3', arch }).filter(({ name }) => name === 'kubectl'));
  return store.path(kubectl!, 'kubectl');
}
