import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { installedLab } from '../helpers/installed-lab.ts';
import type { TestLab } from '../helpers/lab.ts';

const MARKER = 'bWFya2VyLTdmM2E5';

/** What needs something else stands before it. */
const SHOP = `apiVersion: v1
kind: Secret
metadata: { name: keys, namespace: shop }
data: { key: ${MARKER} }
---
apiVersion: example.com/v1
kind: Lamp
metadata: { name: desk, namespace: shop }
spec: { watts: 7 }
---
apiVersion: v1
kind: Namespace
metadata: { name: shop }
`;
const LAMPS = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: lamps.example.com }
spec:
  group: example.com
  scope: Namespaced
  names: { kind: Lamp, plural: lamps, singular: lamp }
  versions:
    - name: v1
      served: true
      storage: true
      schema: { openAPIV3Schema: { type: object, properties: { spec: { type: object, properties: { watts: { type: integer } } } } } }
`;
const NOTE = (text: string): string => `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: note }\ndata: { text: ${text} }\n`;

describe('addons of the cluster file', () => {
  let lab: TestLab;
  let bare: string;
  const path = (name: string): string => join(lab.directory, name);
  const clusterFile = (addons: string): Promise<void> => writeFile(path('cluster.yaml'), `${bare.trimEnd()}\n  addons: ${addons}\n`);
  const unchanged = async (): Promise<void> => expect((await lab.slipway('plan', '--detailed-exitcode')).exitCode).toBe(0);
  const there = async (what: string): Promise<boolean> => (await lab.kubectl(`get ${what} --ignore-not-found -o name`)) !== '';

  beforeAll(async () => {
    lab = await installedLab('pair');
    bare = await readFile(path('cluster.yaml'), 'utf8');
    await mkdir(path('manifests'));
    await writeFile(path('manifests/a-shop.yaml'), SHOP);
    await writeFile(path('manifests/b-lamps.yml'), LAMPS);
    await writeFile(path('note.yaml'), NOTE('first'));
    await clusterFile('{ metricsServer: true, manifests: [manifests, note.yaml] }');
  });
  afterAll(() => lab.down());

  test('are applied in whatever order they depend on each other, and once', async () => {
    const { stdout } = await lab.ok('plan', '-o', 'json');
    expect(stdout).not.toContain(MARKER);
    await lab.ok('apply', '--yes');
    expect(await lab.kubectl("-n shop get lamp desk -o jsonpath='{.spec.watts}'")).toBe('7');
    expect(await lab.kubectl("-n shop get secret keys -o jsonpath='{.data.key}'")).toBe(MARKER);
    expect(await lab.kubectl("get configmap note -o jsonpath='{.data.text}'")).toBe('first');
    await unchanged();
    // Neither the text nor a file with it stays on the host.
    expect(await lab.on('cp-1', `grep -rl ${MARKER} /run/slipway /var/lib/slipway /etc/kubernetes || echo nowhere`)).toBe('nowhere');
  });

  test('metrics-server shows what nodes and pods use, and trusts no kubelet that it does not know', async () => {
    await lab.kubectl('-n kube-system rollout status deployment/metrics-server --timeout=120s');
    const top = await lab.on(
      'cp-1',
      'export KUBECONFIG=/etc/kubernetes/admin.conf; n=0; until /opt/slipway/bin/kubectl top nodes --no-headers 2>&1 | tee /tmp/top | grep -q ^w-1; do n=$((n+1)); [ $n -lt 60 ] || break; sleep 1; done; cat /tmp/top; rm /tmp/top',
    );
    expect(top.split('\n').map((line) => line.split(/\s+/)[0])).toEqual(['cp-1', 'w-1']);
    for (const line of top.split('\n')) expect(line).toMatch(/^\S+ +\d+m +\d+% +\d+Mi +\d+%/);
    expect(await lab.kubectl('-n kube-system top pods --no-headers')).toMatch(/^coredns-/m);
    const pod = await lab.kubectl('-n kube-system get pods -l k8s-app=metrics-server -o json');
    expect(pod).toContain('--kubelet-certificate-authority');
    expect(pod).not.toContain('insecure');
    const service = await lab.kubectl('get apiservice v1beta1.metrics.k8s.io -o json');
    expect(JSON.parse(service)).toMatchObject({ spec: { caBundle: expect.any(String) }, status: { conditions: [{ status: 'True' }] } });
    expect(service).not.toContain('insecureSkipTLSVerify');
    const { stdout } = await lab.ok('verify', '-o', 'json');
    expect((JSON.parse(stdout) as { checks: object[] }).checks).toContainEqual(
      expect.objectContaining({ id: 'metrics', ok: 'pass', message: '2 of 2 nodes' }),
    );
  });

  test('verify says which node metrics-server knows nothing of', async () => {
    await lab.kubectl('-n kube-system scale deployment metrics-server --replicas=0');
    await lab.kubectl('-n kube-system wait --for=delete pods -l k8s-app=metrics-server --timeout=60s');
    const { exitCode, stdout } = await lab.slipway('verify');
    expect([exitCode, stdout]).toEqual([1, expect.stringContaining('the metrics API does not answer')]);
    await lab.kubectl('-n kube-system scale deployment metrics-server --replicas=1');
  });

  test('an object that somebody deleted is put back', async () => {
    await lab.kubectl('delete configmap note');
    const { stdout } = await lab.ok('plan', '-v');
    expect(stdout).toContain('apply 5 objects of spec.addons.manifests (not so: object v1 ConfigMap /note)');
    await lab.ok('apply', '--yes');
    expect(await there('configmap note')).toBe(true);
    await unchanged();
  });

  test('a changed file is applied, and what left the files is deleted and nothing else', async () => {
    await writeFile(path('note.yaml'), NOTE('second'));
    await rm(path('manifests/b-lamps.yml'));
    await writeFile(path('manifests/a-shop.yaml'), SHOP.split('---\n')[2]!);
    const { stdout } = await lab.ok('plan');
    expect(stdout).toContain(
      'delete what left spec.addons.manifests: Lamp shop/desk, Secret shop/keys, CustomResourceDefinition lamps.example.com',
    );
    await lab.ok('apply', '--yes');
    expect(await lab.kubectl("get configmap note -o jsonpath='{.data.text}'")).toBe('second');
    expect([await there('-n shop secret keys'), await there('crd lamps.example.com'), await there('namespace shop')]).toEqual([
      false,
      false,
      true,
    ]);
    await unchanged();
  });

  test('a file with a mistake is refused before a host is asked; what the API server refuses fails at once, with its words', async () => {
    await writeFile(path('note.yaml'), `${NOTE('third')}---\nkind: ConfigMap\n`);
    const early = await lab.slipway('apply', '--yes');
    expect([early.exitCode, early.stderr]).toEqual([
      3,
      expect.stringContaining('note.yaml:6:1: the object has no apiVersion [MANIFEST_INVALID]'),
    ]);
    expect(early.stderr).not.toContain('cp-1');
    await writeFile(path('note.yaml'), `${NOTE('third')}colour: green\n`);
    const start = performance.now();
    const late = await lab.slipway('apply', '--yes');
    expect([late.exitCode, late.stderr]).toEqual([
      1,
      expect.stringMatching(/could not apply 2 objects of spec.addons.manifests[^]*colour/),
    ]);
    expect(performance.now() - start).toBeLessThan(40_000);
    await writeFile(path('note.yaml'), NOTE('fourth'));
    await lab.ok('apply', '--yes');
    expect(await lab.kubectl("get configmap note -o jsonpath='{.data.text}'")).toBe('fourth');
  });

  test('leave the cluster when they leave the file', async () => {
    await clusterFile('{ metricsServer: false }');
    const { stdout } = await lab.ok('plan');
    expect(stdout).toContain('remove metrics-server');
    await lab.ok('apply', '--yes');
    const left = 'secret,deployment,service,serviceaccount,rolebinding,clusterrole,clusterrolebinding,apiservice';
    expect(await lab.kubectl(`get ${left} -A -o name | grep -e metrics-server -e metrics.k8s.io -e aggregated-metrics || :`)).toBe('');
    expect([await there('configmap note'), await there('-n kube-system configmap slipway-manifests')]).toEqual([false, false]);
    expect(await lab.on('cp-1', 'ls /etc/kubernetes/pki | grep metrics || :')).toBe('');
    await unchanged();
    await lab.ok('verify');
  });
});
